//! beside - names beside the history's file that are no regular files: nobody waits at them

use std::sync::mpsc::channel;

use rustix::fs::{FileType, Mode, mknodat};

use super::*;

/// What may have the name of a file of SQLite's, and is none.
const FOREIGN: [&str; 3] = ["fifo", "link", "directory"];

fn make(what: &str, path: &Path) {
    match what {
        "fifo" => mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap(),
        "link" => symlink("/dev/zero", path).unwrap(),
        _ => {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("full"), "").unwrap();
        }
    }
}

/// Does `work` within a minute, or fails: who opens a FIFO waits for ever.
#[track_caller]
fn in_time(work: impl FnOnce() + Send + 'static) {
    let (done, ended) = channel();
    std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(60)).unwrap();
}

fn put_aside(end: &str, what: &str) {
    let mut kept = Kept::new();
    kept.tell(RecordedEvent::Act("did this".to_owned()));
    kept.write();
    let name = format!("history.db{end}");
    let _ = std::fs::remove_file(kept.path(&name));
    make(what, &kept.path(&name));
    // While it is open, and at the next opening.
    for acts in [2, 3] {
        if acts == 3 {
            let folder = kept.folder;
            drop(kept.historian);
            kept = Kept::in_folder(folder, Some(30 * DAY));
            let aside = kept.path(&format!("history.db.damaged{end}"));
            let _ = std::fs::remove_file(kept.path(&name));
            std::fs::rename(aside, kept.path(&name)).unwrap();
        }
        kept.tell(RecordedEvent::Act("did that".to_owned()));
        kept.write();
        assert_eq!(kept.historian.fault, None, "{name}: {what}");
        let found = kept.reader().acts(Moment::EPOCH, 9).unwrap().len();
        assert_eq!(found, acts, "{name}: {what}");
        let aside = kept.path(&format!("history.db.damaged{end}"));
        let aside = std::fs::symlink_metadata(aside).unwrap();
        assert!(!aside.is_file(), "{name}: {what}");
    }
    let place = HistoryPlace::open(kept.folder.path()).unwrap();
    place
        .remove_aside(Moment::from_seconds(u64::MAX))
        .expect("a directory with something in it stays");
}

#[test]
fn what_is_no_file_beside_the_history_is_put_aside_and_no_row_is_lost() {
    in_time(|| {
        for end in ["-journal", "-wal", "-shm"] {
            FOREIGN.iter().for_each(|what| put_aside(end, what));
        }
    });
}

#[test]
fn what_is_tended_waits_at_no_fifo() {
    in_time(|| {
        let mut kept = Kept::new();
        kept.tell(RecordedEvent::Act("did this".to_owned()));
        kept.write();
        let journal = kept.path("history.db-journal");
        let _ = std::fs::remove_file(&journal);
        make("fifo", &journal);
        // Nothing is to be written: only what is old or too much goes.
        (0..300).for_each(|_| kept.historian.round());
        assert_eq!(kept.historian.fault, None);
    });
}

#[test]
fn a_reader_waits_at_no_fifo() {
    in_time(|| {
        for end in ["", "-journal", "-wal", "-shm"] {
            let mut kept = Kept::new();
            kept.tell(RecordedEvent::Act("did this".to_owned()));
            kept.write();
            let name = format!("history.db{end}");
            let _ = std::fs::remove_file(kept.path(&name));
            make("fifo", &kept.path(&name));
            let fault = kept.reader().acts(Moment::EPOCH, 9).unwrap_err();
            assert_eq!(fault.to_string(), format!("{name} is no regular file"));
        }
    });
}
