//! The flags of docker's commands that `cluster` knows and does not honour yet: given, they are an error that says so, never dropped in
//! silence. They are hidden from help.

use std::fmt;
use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::failure::Failure;

/// Name, whether it takes a value, and what is not there.
type Flag = (&'static str, bool, &'static str);

/// The flags of some command.
pub(crate) trait OfCommand: Clone + fmt::Debug + Default + Send + Sync + 'static {
    /// They.
    const FLAGS: &'static [Flag];
}

/// Those of `service create` and `service update`.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfServices;

/// Those of `network create`.
#[derive(Debug, Clone, Default)]
pub(crate) struct OfNetworks;

impl OfCommand for OfServices {
    const FLAGS: &'static [Flag] = SERVICE_FLAGS;
}

impl OfCommand for OfNetworks {
    const FLAGS: &'static [Flag] = NETWORK_FLAGS;
}

/// What docker has for networks. Its overlay driver has no options here: packets are routed, and the sizes are the cluster's.
const NETWORK_FLAGS: &[Flag] = &[
    ("aux-address", true, "addresses that are kept for other machines are"),
    ("config-from", true, "networks that only hold a configuration are"),
    ("config-only", false, "networks that only hold a configuration are"),
    ("gateway", true, "a gateway of one's own choice is"),
    ("ingress", false, "a network of its own for published ports is"),
    ("ip-range", true, "a range of addresses within the subnet is"),
    ("ipam-driver", true, "another manager of addresses is"),
    ("ipam-opt", true, "options of the manager of addresses are"),
    ("ipv4", false, "choosing between IPv4 and IPv6 is"),
    ("ipv6", false, "IPv6 in networks is"),
    ("opt", true, "options of networks, such as encrypted, are"),
    ("scope", true, "another scope than the whole cluster is"),
];

const SERVICE_FLAGS: &[Flag] = &[
    ("config", true, "configs are"),
    ("config-add", true, "configs are"),
    ("config-rm", true, "configs are"),
    ("credential-spec", true, "credential specs are"),
    ("dns-option", true, "options of the name resolver are"),
    ("dns-option-add", true, "options of the name resolver are"),
    ("dns-option-rm", true, "options of the name resolver are"),
    ("dns-search", true, "search domains are"),
    ("dns-search-add", true, "search domains are"),
    ("dns-search-rm", true, "search domains are"),
    ("gpus", true, "GPUs are"),
    ("isolation", true, "Windows isolation is"),
    ("log-driver", true, "log drivers are"),
    ("log-opt", true, "options of log drivers are"),
    ("memory-swap", true, "limits of swap are"),
    ("memory-swappiness", true, "limits of swap are"),
    ("no-resolve-image", false, "resolving tags before the nodes do is"),
    ("oom-score-adj", true, "an OOM score is"),
    ("secret", true, "secrets are"),
    ("secret-add", true, "secrets are"),
    ("secret-rm", true, "secrets are"),
    ("tty", false, "terminals for containers are"),
    ("with-registry-auth", false, "sending registry credentials to the nodes is"),
];

/// The first of them that was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refused<C>(Option<(&'static str, &'static str)>, PhantomData<C>);

impl<C> Refused<C> {
    /// Fails when one was given.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0 {
            None => Ok(()),
            Some((name, what)) => Err(Failure::usage(format!("--{name}: {what} not supported yet"))
                .fix("leave the flag out to go on without it")
                .note("Nothing was changed.")),
        }
    }
}

impl<C: OfCommand> Args for Refused<C> {
    fn augment_args(command: Command) -> Command {
        C::FLAGS.iter().fold(command, |command, &(name, takes_value, _)| {
            let action = if takes_value { ArgAction::Append } else { ArgAction::Count };
            let arg = Arg::new(name).long(name).hide(true).action(action);
            command.arg(match name {
                "tty" => arg.short('t'),
                "opt" => arg.short('o'),
                _ => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: OfCommand> FromArgMatches for Refused<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = C::FLAGS.iter().find(|(name, ..)| matches.value_source(name) == Some(ValueSource::CommandLine));
        Ok(Self(given.map(|&(name, _, what)| (name, what)), PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
