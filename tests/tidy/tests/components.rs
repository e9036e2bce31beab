//! Rules about components: all alike, all in the manifest, all tested.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use artifacts::{COMPONENTS, workspace};
use serde_json::Value;
use tidy::sources;

fn manifest() -> toml::Table {
    let text = std::fs::read_to_string(workspace().join("spin.toml")).unwrap();
    text.parse().unwrap()
}

#[test]
fn the_manifest_is_a_valid_spin_manifest() {
    let schema = include_str!("../spin-manifest-v2.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let instance = serde_json::to_value(manifest()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_component_is_in_the_manifest_and_builds_itself() {
    let manifest = manifest();
    let components = manifest["component"].as_table().unwrap();
    assert_eq!(components.len(), COMPONENTS.len());
    for name in COMPONENTS {
        let component = components.get(name).unwrap_or_else(|| panic!("{name} is not in spin.toml"));
        let build = component["build"]["command"].as_str().unwrap();
        assert_eq!(build, format!("cargo build --profile guest --target wasm32-wasip2 -p {name}"));
        let wasm = name.replace('-', "_");
        assert_eq!(component["source"].as_str(), Some(format!("target/wasm32-wasip2/guest/{wasm}.wasm").as_str()));
    }
}

#[test]
fn a_component_is_a_folder_like_the_others() {
    for name in COMPONENTS {
        let folder = workspace().join("components").join(name);
        for file in ["Cargo.toml", "src/lib.rs", "src/tests.rs"] {
            let found = folder.join(file).is_file() || folder.join(file.replace(".rs", "/mod.rs")).is_file();
            assert!(found, "{name} has no {file}");
        }
        let cargo: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        assert_eq!(cargo["package"]["name"].as_str(), Some(name));
        assert_eq!(cargo["lib"]["crate-type"].as_array().map(Vec::len), Some(2), "{name}: cdylib and rlib");
        assert!(cargo["dependencies"].get("guest").is_none(), "{name} may use guest in Wasm only");
        let lib = std::fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(lib.contains("guest::export!("), "{name} exports nothing");
    }
}

#[test]
fn every_route_is_exercised_from_outside() {
    let tests: String = sources(&["rs"])
        .into_iter()
        .filter(|source| source.path.starts_with("tests/end-to-end/") || source.path.starts_with("tests/bridge/"))
        .map(|source| source.text)
        .collect();
    let manifest = manifest();
    let routes = manifest["trigger"]["http"].as_array().unwrap();
    let public = routes.iter().filter(|route| !route["route"].as_str().unwrap().starts_with("/events/"));
    assert_eq!(public.clone().count(), COMPONENTS.len());
    for route in public {
        let route = route["route"].as_str().unwrap().trim_end_matches("/...");
        assert!(tests.contains(route), "no end-to-end test asks {route}");
    }
}

#[test]
fn every_subscriber_can_be_reached_by_a_bridge_and_is_given_its_keys() {
    let manifest = manifest();
    let routes = manifest["trigger"]["http"].as_array().unwrap();
    for name in COMPONENTS {
        let component = &manifest["component"][name];
        let events = component.get("tool").and_then(|tool| tool.get("events"));
        let subscribes = events.is_some_and(|events| !events["subscribe"].as_array().unwrap().is_empty());
        let own = format!("/events/{name}");
        let delivered = routes.iter().filter(|route| route["route"].as_str() == Some(&own)).count();
        assert_eq!(delivered, usize::from(subscribes), "{name}");
        if subscribes {
            let variables = component["variables"].as_table().unwrap();
            assert_eq!(variables["bridge_keys"].as_str(), Some("{{ bridge_keys }}"), "{name}");
            let publishes_by_http = variables.contains_key("events_url");
            let key = variables.get("events_key").and_then(toml::Value::as_str);
            let expected = publishes_by_http.then(|| format!("{{{{ {name}_key }}}}"));
            assert_eq!(key.map(str::to_owned), expected, "{name}: a key of its own");
        }
    }
}

#[test]
fn the_wire_contract_has_a_copy() {
    let shared = workspace().join("../shared/wire");
    let copy = workspace().join("tests/wire");
    let names = |folder: &std::path::Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| name.to_string_lossy().ends_with(".json"));
        names.sort();
        names
    };
    assert!(names(&copy).len() >= 25);
    if shared.is_dir() {
        assert_eq!(names(&shared), names(&copy));
        for name in names(&copy) {
            let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(&name)).unwrap();
            assert_eq!(read(&shared), read(&copy), "{}", name.to_string_lossy());
        }
    }
}
