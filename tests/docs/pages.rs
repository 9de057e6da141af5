//! Pages of the documentation that are made from the code's own tables.

use ripcord_proto::problem::{Code, CommandExit};

/// `server/docs/problems.md`.
pub fn problems() -> String {
    let mut page = String::from(
        "# Problem codes\n\n\
        Every error is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem document whose `code` is one of these. Codes never change their meaning. The command\n\
        line ends with the exit code in the last column. This page is generated: `RIPCORD_UPDATE_DOCS=1 ./tests/run --only docs` writes it.\n\n\
        | code | status | title | meaning | retry after | exit |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let retry = code.retry_after_seconds().map_or_else(String::new, |seconds| format!("{seconds} s"));
        let exit = match code.exit() {
            CommandExit::Refused => 3,
            CommandExit::Failed => 1,
        };
        let (name, status, title, meaning) = (code.as_str(), code.status(), code.title(), code.meaning());
        page.extend([format!("| `{name}` | {status} | {title} | {meaning} | {retry} | {exit} |\n")]);
    }
    page
}
