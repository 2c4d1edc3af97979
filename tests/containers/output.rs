//! Output arrives whole, in order, and as text.

use leapfrog::model::Stream;
use leapfrog::runner::Runner;

use crate::bed::bed;
use crate::contract::{run_task, watch};

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn both_streams_arrive_line_by_line_in_the_order_they_were_written() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let script = "for n in 1 2 3; do echo out $n; sleep 0.1; echo err $n >&2; sleep 0.1; done; printf 'no end'";
    let handle = containers.launch(&run.shell(&image, 1, script)).await.unwrap();
    let (lines, exit) = watch(&containers, &handle).await;
    let lines: Vec<(Stream, &str)> = lines.iter().map(|line| (line.stream, line.text.as_str())).collect();
    let (out, err) = (Stream::Stdout, Stream::Stderr);
    let expected = [
        (out, "out 1"),
        (err, "err 1"),
        (out, "out 2"),
        (err, "err 2"),
        (out, "out 3"),
        (err, "err 3"),
        (out, "no end"),
    ];
    assert_eq!((lines.as_slice(), exit.code), (&expected[..], 0));
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_line_longer_than_the_engine_s_frames_is_one_line_also_where_a_frame_ends_inside_a_character() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    // 1 + 2 × 20,000 bytes: every frame of 16 KiB ends between the two bytes of a character.
    let script = r#"awk 'BEGIN { printf "x"; for (n = 0; n < 20000; n++) printf "é"; print "\nnext" }'"#;
    let (lines, _) = run_task(&containers, &run.shell(&image, 1, script)).await;
    assert_eq!(lines.len(), 2);
    // Docker writes each frame down by itself, with a replacement for each half of a character that it cut.
    let line = lines[0].replace("\u{fffd}\u{fffd}", "é");
    assert!(line == format!("x{}", "é".repeat(20_000)), "the long line has {} bytes", line.len());
    assert_eq!(lines[1], "next");
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn a_line_without_end_is_cut_and_what_follows_is_there() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let script = r#"awk 'BEGIN { for (n = 0; n < 200000; n++) printf "x"; print "\nnext" }'"#;
    let (lines, _) = run_task(&containers, &run.shell(&image, 1, script)).await;
    assert!(lines[0].len() < 70_000 && lines[0].ends_with("bytes more)"), "{} bytes", lines[0].len());
    assert_eq!(lines[1..], ["next"]);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn colours_and_carriage_returns_do_not_reach_the_lines() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let script = r"printf '\033[00;32mINFO\033[00m done\033[00m\r\n10%%\r20%%\n'";
    let (lines, _) = run_task(&containers, &run.shell(&image, 1, script)).await;
    assert_eq!(lines, ["INFO done", "10%", "20%"]);
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn much_output_arrives_whole_although_whoever_reads_it_is_slow() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let script = "awk 'BEGIN { for (n = 0; n < 200000; n++) print \"line number\", n }'";
    let handle = containers.launch(&run.shell(&image, 1, script)).await.unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<leapfrog::runner::OutputLine>(8);
    let reader = async {
        let mut count = 0;
        while let Some(line) = receiver.recv().await {
            assert_eq!(line.text, format!("line number {count}"));
            count += 1;
            // Longer than the watch waits for an engine that says nothing more.
            if count == 1000 {
                tokio::time::sleep(std::time::Duration::from_secs(4)).await;
            }
        }
        count
    };
    let (exit, count) = tokio::join!(containers.watch(&handle, sender), reader);
    assert_eq!((exit.unwrap().code, count), (0, 200_000));
}

#[tokio::test]
#[ignore = "needs the test bed: make test"]
async fn nobody_has_to_listen() {
    let bed = bed().await;
    let (containers, run, image) = (bed.containers(), bed.run(), bed.image().await);
    let handle = containers.launch(&run.shell(&image, 1, "echo one; echo two; exit 3")).await.unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    assert_eq!(containers.watch(&handle, sender).await.unwrap().code, 3);
}
