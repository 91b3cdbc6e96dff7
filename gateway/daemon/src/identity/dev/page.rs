//! The one page: type the code, choose who you are, confirm.

use super::NOTICE;
use super::people::People;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;\
padding:0 1rem;color:#1b1f24;background:#fff}.notice{background:#fff3cd;border:1px solid #d9b44a;\
padding:.5rem .8rem}label{display:block;margin:1rem 0 .2rem}input,select,button{font:inherit;\
padding:.4rem .6rem}input{letter-spacing:.1em;text-transform:uppercase;width:12rem}\
button{margin:1.2rem .5rem 0 0}";

/// The form, with a code filled in where the link carried one.
pub(super) fn form(people: &People, user_code: &str, client: Option<&str>) -> String {
    let who = match client {
        Some(client) => format!("<p><b>{}</b> waits for this code.</p>", escape(client)),
        None => String::new(),
    };
    let users: String = people
        .users
        .iter()
        .map(|user| {
            let (name, groups) = (escape(&user.name), escape(&user.groups.join(", ")));
            format!(r#"<option value="{name}">{name} ({groups})</option>"#)
        })
        .collect();
    let code = escape(user_code);
    let body = format!(
        r#"<h1>Confirm a login</h1>{who}<form method="post" action="/device">
<label for="c">Code</label><input id="c" name="user_code" value="{code}" maxlength="9" required>
<label for="u">Log in as</label><select id="u" name="user">{users}</select><br>
<button name="action" value="approve">Confirm</button>
<button name="action" value="deny">Refuse</button></form>"#
    );
    document(&body)
}

/// A page that says one thing.
pub(super) fn say(title: &str, text: &str) -> String {
    document(&format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text)))
}

fn document(body: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Weir dev issuer</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style>
<p class="notice">{NOTICE}</p>{body}</html>"#
    )
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
