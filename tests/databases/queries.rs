//! Queries of the playbooks, on real servers.

use leapfrog::catalog::{Catalog, PlaybookStep};
use leapfrog::database::connect;
use leapfrog::model::ConnectionUrl;

use super::mariadb::Server;
use super::postgresql::Cluster;
use super::{TIMEOUT, run, wait};

/// What neutron's playbook counts to see whether its commands migrate other projects, too.
fn other_projects() -> String {
    let catalog = Catalog::embedded().expect("a sound catalogue");
    let neutron = catalog.playbooks().find(|playbook| playbook.service.as_str() == "neutron").expect("a playbook");
    let queries = neutron.steps.iter().map(|step| match step {
        PlaybookStep::Run(run) => run.besides.as_ref().and_then(|besides| besides.query.clone()),
        PlaybookStep::Drain(_) | PlaybookStep::Trip(_) | PlaybookStep::Check(_) => None,
    });
    let queries: Vec<String> = queries.map(|query| query.expect("each of its steps asks")).collect();
    assert!(queries.windows(2).all(|two| two[0] == two[1]), "{queries:?}");
    queries[0].clone()
}

/// The answer before and after another project keeps its heads in the database.
async fn before_and_after(owner: &ConnectionUrl, user: &ConnectionUrl) -> Vec<String> {
    let mut answers = Vec::new();
    run(owner, &["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"]).await;
    for statement in ["SELECT 1", "CREATE TABLE alembic_version_fwaas (version_num VARCHAR(32) NOT NULL)"] {
        run(owner, &[statement]).await;
        let mut connection = connect(user, TIMEOUT).await.expect("a connection");
        let rows = connection.rows(&other_projects()).await.expect("an answer");
        answers.extend(rows.into_iter().flatten().flatten());
        connection.close().await;
    }
    answers
}

#[test]
#[ignore = "needs the test bed's database servers"]
fn neutrons_other_projects_are_known_by_the_tables_of_their_heads() {
    let database = Server::find().database("other_projects");
    assert_eq!(wait(before_and_after(&database.root(), &database.allowed())), ["0", "1"]);
    let cluster = Cluster::shared();
    let url = cluster.database("other_projects");
    assert_eq!(wait(before_and_after(&url, &url)), ["0", "1"]);
}
