//! A table that was made of what changed is the one that is made of everything.

use cluster_types::{EndpointAffinity, EndpointMode, EndpointView, NetworkId, ServiceId, ServiceNetworkView};
use proptest::prelude::*;

use super::*;
use crate::rules::tests::{model, wishes};

fn written(basis: &Basis) -> Draft {
    let mut draft = Draft::default();
    assert_eq!(draft.turn(basis.clone()), desired(&basis.wanted()).document());
    draft.written();
    draft
}

fn check(old: &Basis, new: &Basis) -> Result<(), TestCaseError> {
    let mut draft = written(old);
    let before = draft.rules().clone();
    let text = draft.turn(new.clone());
    prop_assert_eq!(draft.rules(), &desired(&new.wanted()));
    prop_assert_eq!(model::apply(&before, &text), Ok(draft.rules().clone()));
    prop_assert_eq!(draft.is_written(), text.is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn any_turn_makes_the_whole_table(old in wishes::basis(), new in wishes::basis()) {
        check(&old, &new)?;
    }

    #[test]
    fn a_turn_of_services_makes_the_whole_table((old, new) in wishes::neighbours()) {
        check(&old, &new)?;
        check(&new, &old)?;
    }

    #[test]
    fn what_the_kernel_did_not_take_is_written_as_a_whole((old, new) in wishes::neighbours()) {
        let mut draft = written(&old);
        if !draft.turn(new.clone()).is_empty() {
            prop_assert_eq!(draft.turn(new.clone()), desired(&new.wanted()).document());
        }
    }
}

/// A host with 50 services that meet nowhere.
fn many() -> Basis {
    let mut view = wishes::host();
    for number in 1..=50_u8 {
        let endpoints = [1, 2].map(|last| EndpointView { address: Ipv4Addr::new(10, 196, number, last), hostname: String::new() });
        let network = ServiceNetworkView {
            network: NetworkId::from_bits(1),
            vip: Some(Ipv4Addr::new(10, 196, 0, number)),
            aliases: Vec::new(),
            endpoints: endpoints.to_vec(),
        };
        let item = ViewItem::Service(ServiceView {
            id: ServiceId::from_bits(u128::from(number)),
            name: String::new(),
            mode: EndpointMode::Vip,
            affinity: EndpointAffinity::None,
            networks: vec![network],
            ports: Vec::new(),
        });
        view.insert(item.key(), Arc::new(item));
    }
    Basis { tag: "test".to_owned(), view: Arc::new(view), ..Basis::default() }
}

/// One service gets another endpoint, and another address where one is given.
fn with_another_endpoint(basis: &Basis, number: u8, vip: Option<Ipv4Addr>) -> Basis {
    let mut view = ViewItems::clone(&basis.view);
    let key = cluster_types::ViewKey::Service(ServiceId::from_bits(u128::from(number)));
    let mut changed = service(&view[&key]).unwrap().clone();
    changed.networks[0].endpoints[0].address = Ipv4Addr::new(10, 196, 200, 1);
    changed.networks[0].vip = vip.or(changed.networks[0].vip);
    view.insert(key, Arc::new(ViewItem::Service(changed)));
    Basis { view: Arc::new(view), ..basis.clone() }
}

#[test]
fn only_the_service_that_changed_is_made_again() {
    let old = many();
    let new = with_another_endpoint(&old, 7, None);
    let text = written(&old).turn_services(&new).expect("nothing else changed");
    assert_eq!(text.lines().count(), 3, "{text}");
    // One that takes another's address changes the rules of both.
    let meeting = with_another_endpoint(&old, 7, Some(Ipv4Addr::new(10, 196, 0, 8)));
    assert_eq!(written(&old).turn_services(&meeting), None);
    check(&old, &meeting).unwrap();
}
