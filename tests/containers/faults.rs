//! What happens outside: memory that runs out, a registry that goes away in mid-pull.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use leapfrog::model::ImageReference;
use leapfrog::runner::{Runner, RunnerErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bed::{bed, publish};
use crate::contract::watch;

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_task_that_the_kernel_ended_for_want_of_memory_is_told_as_such() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    // A string that doubles until there is no more.
    let eater = "sleep 2; awk 'BEGIN { text = \"0123456789abcdef\"; while (1) text = text text }'; exit $?";
    let handle = containers.launch(&run.shell(&image, 1, eater)).await.unwrap();
    let (client, memory) = (bed.client(), 48 << 20);
    let limit = ContainerUpdateBody { memory: Some(memory), memory_swap: Some(memory), ..Default::default() };
    client.update_container(&handle.0, limit).await.unwrap();
    let (_, exit) = watch(&containers, &handle).await;
    assert_eq!((exit.code, exit.out_of_memory), (137, true));
    containers.reap(&handle).await.unwrap();
}

/// A way to a registry that lets so many bytes of answers through and then nothing more, until it is mended.
async fn faulty_way(registry: &str, bytes: usize) -> (u16, Arc<AtomicBool>) {
    let registry: SocketAddr = registry.parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mended = Arc::new(AtomicBool::new(false));
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(bytes));
    let whole = Arc::clone(&mended);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (left, whole) = (Arc::clone(&left), Arc::clone(&whole));
            if left.load(Ordering::SeqCst) == 0 && !whole.load(Ordering::SeqCst) {
                continue;
            }
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(registry).await else { return };
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let asking = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
                let answering = async {
                    let mut buffer = vec![0; 16384];
                    loop {
                        let length = from_server.read(&mut buffer).await?;
                        let gone = !whole.load(Ordering::SeqCst)
                            && left
                                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                                    Some(left.saturating_sub(length))
                                })
                                .is_ok_and(|left| left <= length);
                        if length == 0 || gone {
                            return Ok::<(), std::io::Error>(());
                        }
                        to_client.write_all(&buffer[..length]).await?;
                    }
                };
                tokio::select! {
                    _ = asking => {}
                    _ = answering => {}
                }
            });
        }
    });
    (port, mended)
}

/// Docker itself tries a layer five times, with longer and longer pauses, before it gives up: this takes a minute.
#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_registry_that_goes_away_in_mid_pull_is_unreachable_and_the_next_pull_is_whole() {
    let bed = bed().await;
    // Content of its own, so that nothing of it is here already.
    let mut state = u64::from(std::process::id()) | 1;
    let ballast: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(12 << 20)
    .collect();
    let tag = format!("faulty-{}", std::process::id());
    publish(bed, "leapfrog/faulty", &tag, &ballast).await;
    let (port, mended) = faulty_way(&bed.registry, 4 << 20).await;
    let reference: ImageReference = format!("127.0.0.1:{port}/leapfrog/faulty:{tag}").parse().unwrap();
    for name in [format!("{}/leapfrog/faulty:{tag}", bed.registry), format!("localhost/leapfrog/made-by-tests:{tag}")] {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        bed.client().remove_image(&name, Some(options), None).await.unwrap();
    }
    let containers = bed.containers();
    let image = containers.resolve(&reference).await.unwrap();
    let pulled = tokio::time::timeout(Duration::from_secs(240), containers.fetch(&image, &|_| ())).await;
    let error = pulled.expect("the engine gives up").expect_err("nobody serves the rest");
    assert_eq!(error.kind, RunnerErrorKind::RegistryUnreachable, "{error}: {}", error.advice);
    assert!(!containers.has(&image).await.unwrap());
    mended.store(true, Ordering::SeqCst);
    containers.fetch(&image, &|_| ()).await.unwrap();
    assert!(containers.has(&image).await.unwrap());
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let pinned = image.reference.pinned(&image.digest).to_string();
    bed.client().remove_image(&pinned, Some(options), None).await.unwrap();
}
