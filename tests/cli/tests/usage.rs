//! What is said when the command line cannot be understood, when there is no daemon, and in the help. No daemon is needed.

use cluster_cli_tests::run;

#[test]
fn a_mistyped_command_is_suggested_across_levels() {
    insta::assert_snapshot!(run(&["servce", "sacle", "web=5"]).text(), @r#"
    exit 2
    stderr:
    error: no command "servce". Did you mean "service scale"?
      fix:   cluster service scale web=5
    "#);
    insta::assert_snapshot!(run(&["frobnicate"]).text(), @r#"
    exit 2
    stderr:
    error: no command "frobnicate"
      fix:   see all commands: cluster --help
    "#);
}

#[test]
fn a_mistyped_flag_and_a_wrong_value_are_named() {
    insta::assert_snapshot!(run(&["service", "create", "--replica", "3", "nginx"]).text(), @"
    exit 2
    stderr:
    error: unexpected argument '--replica' found

      tip: a similar argument exists: '--replicas'
      tip: to pass '--replica' as a value, use '-- --replica'

    Usage: cluster service create [OPTIONS] IMAGE [ARGUMENT...]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["service", "create", "--limit-memory", "12x", "nginx"]).text(), @"
    exit 2
    stderr:
    error: invalid value '12x' for '--limit-memory <BYTES>': `12x` has the unknown unit `x`: use b, k, m, g or t (powers of 1024)

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["service", "scale", "web"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'web' for '<SERVICE=REPLICAS>...': `web` is not SERVICE=REPLICAS, such as web=5

    For more information, try '--help'.
    ");
}

#[test]
fn a_flag_of_docker_that_is_not_there_yet_is_refused_by_name() {
    insta::assert_snapshot!(run(&["service", "create", "--secret", "key", "nginx"]).text(), @"
    exit 2
    stderr:
    error: --secret: secrets are not supported yet
      fix:   leave the flag out to go on without it
      Nothing was changed.
    ");
    insta::assert_snapshot!(run(&["service", "create", "--gpus", "all", "nginx"]).text(), @"
    exit 2
    stderr:
    error: --gpus: GPUs are not supported yet
      fix:   leave the flag out to go on without it
      Nothing was changed.
    ");
}

#[test]
fn what_cannot_be_read_of_a_rollout_a_job_or_a_place_says_how_it_is_written() {
    insta::assert_snapshot!(run(&["service", "update", "--update-failure-action", "stop", "web"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'stop' for '--update-failure-action <ACTION>': `stop` is no failure action: use pause, continue or rollback

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["service", "create", "--mode", "job", "nginx"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'job' for '--mode <MODE>': `job` is no mode: use replicated, global, replicated-job or global-job

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["service", "create", "--placement-pref", "zone", "nginx"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'zone' for '--placement-pref <PREFERENCE>': `zone` is not a placement preference: write it like spread=node.labels.zone

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["service", "roolback", "web"]).text(), @r#"
    exit 2
    stderr:
    error: no command "service roolback". Did you mean "service rollback"?
      fix:   cluster service rollback web
    "#);
}

#[test]
fn a_network_of_another_kind_is_refused_by_name() {
    insta::assert_snapshot!(run(&["network", "create", "--driver", "macvlan", "back"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'macvlan' for '--driver <DRIVER>': the driver `macvlan` is not supported: use overlay

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["network", "create", "-o", "encrypted", "back"]).text(), @"
    exit 2
    stderr:
    error: --opt: options of networks, such as encrypted, are not supported yet
      fix:   leave the flag out to go on without it
      Nothing was changed.
    ");
    insta::assert_snapshot!(run(&["netwrok", "crate", "back"]).text(), @r#"
    exit 2
    stderr:
    error: no command "netwrok". Did you mean "network create"?
      fix:   cluster network create back
    "#);
    insta::assert_snapshot!(run(&["service", "create", "-p", "127.0.0.1:8080:80", "nginx"]).text(), @"
    exit 2
    stderr:
    error: invalid value '127.0.0.1:8080:80' for '--publish <PORT>': `127.0.0.1:8080:80` names an address of the host, which a service cannot: write PUBLISHED:TARGET

    For more information, try '--help'.
    ");
}

#[test]
fn an_unreachable_daemon_is_told_with_what_to_do() {
    insta::assert_snapshot!(run(&["-H", "unix:///nowhere/api.sock", "node", "ls"]).text(), @"
    exit 75
    stderr:
    error[E0101]: no daemon answers at /nowhere/api.sock
      cause: there is no such socket: the daemon does not run, or listens elsewhere
      fix:   start it: sudo systemctl start cluster     or: sudo cluster daemon
             or name its socket: -H unix:///PATH (or CLUSTER_HOST)
    ");
}

#[test]
fn a_socket_that_nobody_listens_on_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let said = run(&["-H", path.to_str().unwrap(), "service", "ls"]);
    assert_eq!(said.code, 75);
    insta::assert_snapshot!(said.stderr.replace(directory.path().to_str().unwrap(), "DIR"), @"
    error[E0101]: no daemon answers at DIR/left.sock
      cause: the socket is there but nobody listens: the daemon has stopped
      fix:   start it: sudo systemctl start cluster     or see why: journalctl -u cluster
    ");
}

#[test]
fn a_manager_wants_credentials_and_a_local_command_wants_a_socket() {
    insta::assert_snapshot!(run(&["-H", "127.0.0.1:1", "--identity", "/nowhere", "node", "ls"]).text(), @"
    exit 4
    stderr:
    error[E0107]: no credentials in /nowhere
      cause: there is no identity.json: that daemon is in no cluster
      fix:   a manager's port wants a manager's certificate: --identity DATA-DIR of a daemon that is a manager (or CLUSTER_IDENTITY)
    ");
    insta::assert_snapshot!(run(&["-H", "ssh://n1", "node", "ls"]).text(), @"
    exit 2
    stderr:
    error: invalid value 'ssh://n1' for '-H <HOST>': `ssh://n1`: use unix:///PATH or HOST:PORT

    For more information, try '--help'.
    ");
}

#[test]
fn a_wrong_configuration_of_the_daemon_names_the_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, "socket = \"/a\"\nsokcet = \"/b\"\n").unwrap();
    let said = run(&["daemon", "--config", path.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.stderr.replace(directory.path().to_str().unwrap(), "DIR"), @r#"
    error[E0203]: the configuration file DIR/config.toml is wrong: TOML parse error at line 2, column 1
        |
      2 | sokcet = "/b"
        | ^^^^^^
      unknown field `sokcet`, expected one of `data-dir`, `socket`, `listen-addr`, `advertise-addr`, `runtime`, `log-format`, `insecure-registries`, `generic-resources`, `certificate-seconds`
      The daemon was not started.
    "#);
}

#[test]
fn help_lists_the_commands() {
    insta::assert_snapshot!(run(&["--help"]).text(), @"
    exit 0
    stdout:
    Runs containers on many hosts: services that are kept running, scaled and healed

    Usage: cluster [OPTIONS] <COMMAND>

    Commands:
      init         Make a new cluster with this host as its first manager
      join         Make this host a node of a cluster
      leave        Take this host out of its cluster
      join-token   Print what another host needs to join
      status       Show this host's daemon and its cluster
      node         Nodes: the hosts of the cluster
      service      Services: what runs, and how many of it
      rollout      Updates that are under way
      why          Show the verdict of every node on a task or service, and what would make it fit
      rebalance    Spread running tasks evenly over the nodes
      scale        Change how many tasks services have (short for service scale)
      network      Networks: what containers reach each other through
      image        Images on this host
      daemon       Run the daemon of this host
      completions  Print the completions for a shell
      bench        Measure: each prints one JSON line
      help         Print this message or the help of the given subcommand(s)

    Options:
      -H <HOST>             Daemon or manager to talk to: unix:///PATH or HOST:PORT [default: unix:///run/cluster/api.sock]
                            [env: CLUSTER_HOST=]
          --identity <DIR>  Data directory of the daemon whose certificate is shown to a manager [default: /var/lib/cluster]
                            [env: CLUSTER_IDENTITY=]
      -h, --help            Print help
      -V, --version         Print version

    Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 denied, 5 conflict, 6 no node fits, 7 tasks fail, 8 rolled back, 9
    timeout, 75 no leader or no daemon (try again).
    ");
}

#[test]
fn help_of_a_noun_lists_its_verbs() {
    insta::assert_snapshot!(run(&["service", "--help"]).text(), @"
    exit 0
    stdout:
    Services: what runs, and how many of it

    Usage: cluster service [OPTIONS] <COMMAND>

    Commands:
      create    Create a service
      ls        List the services [alias: list]
      ps        List the tasks of services
      inspect   Print everything about services, or tasks such as web.3
      logs      Print what the containers of a service, or of a task such as web.3, wrote
      update    Change a service
      rollback  Go back to an earlier spec of a service
      history   List the specs that a service has had
      restart   Replace the tasks of services by new ones; run jobs again
      scale     Change how many tasks services have
      rm        Remove services with all their tasks [alias: remove]
      help      Print this message or the help of the given subcommand(s)

    Options:
      -H <HOST>             Daemon or manager to talk to: unix:///PATH or HOST:PORT [default: unix:///run/cluster/api.sock]
                            [env: CLUSTER_HOST=]
          --identity <DIR>  Data directory of the daemon whose certificate is shown to a manager [default: /var/lib/cluster]
                            [env: CLUSTER_IDENTITY=]
      -h, --help            Print help
      -V, --version         Print version
    ");
}

#[test]
fn help_of_a_verb_lists_its_flags() {
    insta::assert_snapshot!(run(&["service", "scale", "-h"]).text(), @"
    exit 0
    stdout:
    Change how many tasks services have

    Usage: cluster service scale [OPTIONS] <SERVICE=REPLICAS>...

    Arguments:
      <SERVICE=REPLICAS>...  Services and their new number of tasks

    Options:
      -H <HOST>                Daemon or manager to talk to: unix:///PATH or HOST:PORT [default:
                               unix:///run/cluster/api.sock] [env: CLUSTER_HOST=]
      -m, --message <TEXT>     Why, for the service's history
          --dry-run            Say what would change and where tasks would be placed; change nothing
          --format <FORMAT>    How to print what --dry-run says: table or json [env: CLUSTER_FORMAT=]
          --identity <DIR>     Data directory of the daemon whose certificate is shown to a manager [default:
                               /var/lib/cluster] [env: CLUSTER_IDENTITY=]
          --check-version <N>  Only if the service still has this version, as --dry-run prints it
      -h, --help               Print help
      -V, --version            Print version

    Waiting:
      -d, --detach[=<BOOL>]     Return at once instead of waiting [env: CLUSTER_DETACH=] [possible values: true, false]
          --timeout <DURATION>  Longest time to wait (0: no end) [env: CLUSTER_TIMEOUT=] [default: 5m]
      -q, --quiet               Show no progress
    ");
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(&["completions", shell]);
        assert!(said.code == 0 && said.stdout.contains("join-token"), "{shell}");
    }
}

#[test]
fn a_bench_is_one_json_line() {
    let said = run(&["bench", "place", "--nodes", "10", "--tasks", "100", "--services", "2", "--rounds", "1"]);
    let figures: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.stdout.lines().count(), &figures["placed"]), (1, &serde_json::json!(100)));
}
