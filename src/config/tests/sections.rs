//! What single sections refuse, and what they mean.

use super::*;

#[test]
fn b10_a_pair_is_two_forms_and_presigned_once() {
    assert_eq!(
        problems_above("[response]\npair = [\"sha1\"]\n"),
        ["line 2, response.pair: two forms of CertIDs make a pair (pair = [\"sha1\", \"sha256\"])"]
    );
    assert_eq!(
        problems_above("[response]\npair = [\"sha1\", \"sha1\"]\n"),
        ["line 2, response.pair: \"sha1\" stands there twice (write it once)"]
    );
    let forms = |lines: &str| {
        let config = parse(&format!("[response]\n{lines}{ISSUER}")).unwrap();
        let response = &config.response;
        response.forms_together(&response.presign).into_iter().map(CertIdForms::name).collect::<Vec<_>>()
    };
    assert_eq!(forms("presign = [\"sha1\", \"sha256\"]\n"), ["sha1", "sha256"]);
    let pair = "pair = [\"sha1\", \"sha256\"]\n";
    assert_eq!(forms(&format!("{pair}presign = [\"sha256\", \"sha1\"]\n")), ["sha1+sha256"]);
    assert_eq!(forms(&format!("{pair}presign = [\"sha1\", \"sha384\"]\n")), ["sha1+sha256", "sha384"]);
    assert_eq!(forms(pair), [""; 0]);
}

#[test]
fn what_is_wrong_with_a_text_over_several_lines_is_told_in_one() {
    assert_eq!(
        problems(&ISSUER.replace("auth\"", "au\\nth\"")),
        [
            "line 3, issuer \"au\u{fffd}th\" name: \"au\u{fffd}th\" is no good as a name of at most 64 characters (letters, digits, \"-\", \"_\" and \".\", as in \"user-authentication\")"
        ]
    );
    assert_eq!(
        problems_in_issuer("unlisted = \"\"\"\nba\nd\"\"\"\n").len(),
        1,
        "whatever is said of it: `problems` looks at the lines"
    );
}
