//! The text around the commands.

use super::play;

#[test]
fn outcomes_are_written_anew_and_the_rest_is_kept() {
    let told = play("# Two nodes.\n> nodes 2\nnonsense\n\n> lose n1\n# Gone.\n").unwrap();
    assert_eq!(told, "# Two nodes.\n> nodes 2\n\n> lose n1\nn1: down\n# Gone.\n");
    assert_eq!(play(&told), Ok(told));
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    let refused = |script: &str| play(script).unwrap_err();
    assert!(refused("> nodes 2\n> dance").starts_with("line 2: "));
    assert!(refused("> create web colour=red").contains("colour"));
    assert!(refused("> scale web 2").contains("web"));
    assert!(refused("nodes 2").starts_with("line 1: "));
}
