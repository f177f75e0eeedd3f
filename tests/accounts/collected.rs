//! Annotations, from a foundation to who pays.

use cf_billing::accounts::{Whereabouts, check_against};
use cf_billing::domain::Span;
use cf_billing::simulator::tables::List;
use cf_billing::store::Owner;
use serde_json::json;

use super::accounts;
use crate::support::collected::{Collected, caught_up};

/// No event tells them, they are long, and people pay by them.
#[test]
fn annotations_are_known_within_an_hour_and_say_who_pays() {
    let mut collected = Collected::settled(31, 12);
    collected.onboard();
    collected.act(3600, 6);
    caught_up(collected.cycle());
    let (org, space) = {
        let foundation = collected.foundation();
        let space = foundation.world.spaces.values().next().unwrap();
        (space.org.clone(), space.guid.clone())
    };
    let long = "ü".repeat(5000);
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let of_org = json!({"acme.example/pays": "acme", "note": long});
        foundation.world.annotate(&mut foundation.tables, List::Organizations, &org, &of_org);
        foundation.world.annotate(&mut foundation.tables, List::Spaces, &space, &json!({"pays": "other"}));
        foundation.world.label(&mut foundation.tables, List::Organizations, &org, &json!({"tier": "gold"}));
    }
    collected.pass(3600);
    caught_up(collected.cycle());
    let labels = collected.runtime.block_on(collected.store.labels(&collected.head())).unwrap();
    let of = |owner: Owner, guid: &str| {
        let labels = labels.get(&(owner, guid.into())).cloned().unwrap_or_default();
        labels.into_iter().collect::<Vec<(String, String)>>()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(of(Owner::OrganizationAnnotation, &org), pairs(&[("acme.example/pays", "acme"), ("note", &long)]));
    assert_eq!(of(Owner::SpaceAnnotation, &space), pairs(&[("pays", "other")]));
    assert_eq!(of(Owner::Organization, &org), pairs(&[("tier", "gold")]));
    assert_eq!(of(Owner::Space, &space), pairs(&[]));
    // They are no labels that prices may go by.
    let seen = collected.runtime.block_on(collected.store.seen()).unwrap();
    assert_eq!(seen.organization_labels.iter().collect::<Vec<_>>(), ["tier=gold"]);
    assert!(seen.space_labels.is_empty());

    let accounts = accounts(
        "[[account]]\nid = \"acme\"\nname = \"ACME\"\nlabels = [\"sim: acme.example/pays = acme\"]\n\
         [[account]]\nid = \"other\"\nname = \"Other\"\nlabels = [\"sim: pays = other\"]\n\
         [[account]]\nid = \"none\"\nname = \"None\"\nlabels = [\"sim: pays = oter\", \"sim: tier = gold\"]\n",
    );
    let period = Span { from: collected.epoch(), to: collected.now() };
    let mut owners = std::collections::BTreeMap::new();
    collected.runtime.block_on(async {
        let mut pieces = collected.store.pieces(period, false, None).await.unwrap();
        while let Some(resources) = pieces.more().await.unwrap() {
            for piece in resources.into_iter().flatten() {
                let place = Whereabouts::from(&*piece.key);
                let owner = accounts.owners(&place, piece.span).first().and_then(|(_, owner)| *owner);
                let line = &piece.key.line;
                let of = (line.organization.guid.to_string(), line.space.guid.to_string());
                owners.insert(of, owner.map(|owner| owner.id.clone()));
            }
        }
    });
    assert!(owners.keys().any(|(of, at)| *of == org && *at != space), "{owners:?}");
    for ((of, at), owner) in &owners {
        // A label counts before an annotation.
        let expected = if *at == space { Some("other") } else { (*of == org).then_some("none") };
        assert_eq!(owner.as_deref(), expected, "{of} {at}");
    }
    let seen = collected.runtime.block_on(collected.store.seen_by_accounts()).unwrap();
    let told: Vec<String> = check_against(&accounts, &seen)
        .iter()
        .filter(|problem| problem.origin.line().is_some() && !problem.message.contains("'s by its"))
        .map(ToString::to_string)
        .collect();
    let unknown = "accounts.toml:12:11: the ledger has seen no label or annotation `sim: pays = oter`\n\
                   hint: did you mean `sim: pays = other`?";
    assert_eq!(told, [unknown]);

    // What is taken away is gone.
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        foundation.world.annotate(&mut foundation.tables, List::Organizations, &org, &json!({}));
    }
    collected.pass(3600);
    caught_up(collected.cycle());
    let labels = collected.runtime.block_on(collected.store.labels(&collected.head())).unwrap();
    let owners: Vec<&str> = labels.keys().map(|(owner, _)| owner.name()).collect();
    assert_eq!(owners, ["organization", "space_annotation"]);
}

crate::on_postgres! {
    annotations_are_known_within_an_hour_and_say_who_pays,
}
