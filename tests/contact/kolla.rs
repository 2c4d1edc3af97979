//! kolla-ansible's layout, as its roles write it (kolla-ansible 2024.1: `ansible/roles/*/tasks/config.yml`).

use crate::machine::{Machine, PASSWORD, url};

/// A controller that kolla-ansible deployed: a directory a container, some of which say other things.
fn controller() -> Machine {
    let machine = Machine::new();
    let database = |name: &str| format!("connection = {}\nconnection_recycle_time = 10\nmax_retries = -1\n", url(name));
    for (container, file, name) in [
        ("keystone", "keystone.conf", "keystone"),
        ("keystone-fernet", "keystone.conf", "keystone"),
        ("glance-api", "glance-api.conf", "glance"),
        ("cinder-api", "cinder.conf", "cinder"),
        ("cinder-volume", "cinder.conf", "cinder"),
        ("neutron-server", "neutron.conf", "neutron"),
        ("neutron-dhcp-agent", "neutron.conf", "neutron"),
        ("barbican-api", "barbican.conf", "barbican"),
    ] {
        machine.write(
            &format!("etc/kolla/{container}/{file}"),
            format!("[DEFAULT]\ndebug = False\n\n[database]\n{}", database(name)),
        );
        machine.write(&format!("etc/kolla/{container}/config.json"), "{}");
    }
    machine.write("etc/kolla/placement-api/placement.conf", format!("[placement_database]\n{}", database("placement")));
    machine.write(
        "etc/kolla/nova-api/nova.conf",
        format!(
            "# nova.conf\n[DEFAULT]\nmy_ip = 10.0.0.5\n[database]\n{}[api_database]\n{}",
            database("nova_cell0"),
            database("nova_api")
        ),
    );
    machine.write("etc/kolla/nova-conductor/nova.conf", format!("[database]\n{}", database("nova")));
    machine.write("etc/kolla/nova-compute/nova.conf", "[DEFAULT]\nmy_ip = 10.0.0.5\n");
    machine.write("etc/kolla/nova-cell-bootstrap/nova.conf", format!("[database]\n{}", database("nova")));
    machine.write("etc/hostname", "ctl-1.example\n");
    machine
}

#[test]
fn kolla_s_directory_is_noticed_and_its_api_containers_tell_where_the_databases_are() {
    let machine = controller();
    machine.write("etc/kolla/globals.yml", "---\nkolla_base_distro: \"rocky\"\nopenstack_release: \"2023.1\"\nkolla_internal_vip_address: 10.0.0.5\nenable_haproxy: yes\n");
    let done = machine.run(&["init", "--root", ".", "--yes"]);
    insta::assert_snapshot!("kolla", machine.told(&done));
    insta::assert_snapshot!("kolla-file", machine.plain(&machine.read("leapfrog.yaml")));
    let names = ["barbican", "cinder", "glance", "keystone", "neutron", "nova_api", "nova_cell0", "placement"];
    let urls: Vec<String> = machine.databases().into_iter().map(|(_, url)| url).collect();
    assert_eq!(urls, names.map(url));
    assert!(!machine.read("leapfrog.yaml").contains(PASSWORD));
}

#[test]
fn images_follow_kolla_s_globals() {
    for (globals, keystone) in [
        (
            "docker_registry: r.example:4000\nkolla_base_distro: rocky\n",
            "r.example:4000/openstack.kolla/keystone:{series}-rocky-9",
        ),
        ("docker_namespace: mine\nopenstack_tag_suffix: -aarch64\n", "quay.io/mine/keystone:{series}-rocky-9-aarch64"),
        (
            "kolla_base_distro: ubuntu\nopenstack_release: \"2023.1\"\n",
            "quay.io/openstack.kolla/keystone:{series}-ubuntu-jammy",
        ),
        (
            "kolla_base_distro: ubuntu\nopenstack_release: 2024.2\n",
            "quay.io/openstack.kolla/keystone:{series}-ubuntu-noble",
        ),
        (
            "kolla_base_distro: debian\nkolla_base_distro_version: trixie\n",
            "quay.io/openstack.kolla/keystone:{series}-debian-trixie",
        ),
        (
            "openstack_release: \"2023.1\"\nopenstack_tag: 2023.1-ours-7\n",
            "quay.io/openstack.kolla/keystone:{series}-ours-7",
        ),
        ("openstack_tag: \"{{ openstack_release }}-x\"\n", "registry.invalid/name-your-images:{series}"),
        ("a: b: c\n", "registry.invalid/name-your-images:{series}"),
        ("", "quay.io/openstack.kolla/keystone:{series}-rocky-9"),
    ] {
        let machine = controller();
        machine.write("etc/kolla/globals.yml", globals);
        let done = machine.init(&["--only", "keystone"]);
        assert_eq!(done.code, 0, "{globals}: {}", done.err);
        let text = machine.read("leapfrog.yaml");
        assert!(text.contains(&format!(": \"{keystone}\"\n")), "{globals}: {text}");
    }
}

#[test]
fn a_distribution_whose_version_changes_in_kolla_s_tags_is_told_of() {
    let machine = controller();
    machine.write("etc/kolla/globals.yml", "kolla_base_distro: ubuntu\n");
    machine.write("etc/kolla/globals.d/release.yml", "openstack_release: \"2023.1\"\n");
    let done = machine.init(&[]);
    assert!(done.err.contains("jammy before 2024.2"), "{}", done.err);
    assert!(machine.read("leapfrog.yaml").contains("jammy before 2024.2"));
}

#[test]
fn a_machine_that_kolla_deployed_to_knows_no_images() {
    let machine = controller();
    let done = machine.init(&[]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(
        done.err.contains("globals.yml") && done.out.contains("say in the file where images are"),
        "{}{}",
        done.out,
        done.err
    );
}

#[test]
fn kolla_s_directory_may_be_anywhere() {
    let machine = controller();
    std::fs::rename(machine.path("etc/kolla"), machine.path("node-configuration")).expect("moved");
    assert_eq!(machine.init(&["--from-kolla", "node-configuration"]).code, 0);
    assert_eq!(machine.databases().len(), 8);
    let done = machine.init(&["--overwrite", "--from-kolla", "nowhere"]);
    assert!(done.code == 2 && done.err.contains("--from-kolla nowhere"), "{}", done.err);
}

#[test]
fn where_both_layouts_are_somebody_has_to_say_which() {
    let machine = controller();
    machine.write("etc/keystone/keystone.conf", "[database]\nconnection = mysql://k@h/keystone\n");
    let done = machine.init(&[]);
    assert!(
        done.code == 2 && machine.plain(&done.err).contains("--from-kolla ROOT/etc/kolla or --from-etc"),
        "{}",
        done.err
    );
    assert_eq!(machine.init(&["--from-etc"]).code, 0);
    assert_eq!(machine.databases()[0].1, "mysql+pymysql://k@h/keystone");
    assert_eq!(machine.init(&["--overwrite", "--from-kolla", "etc/kolla"]).code, 0);
    assert_eq!(machine.databases().len(), 8);
}
