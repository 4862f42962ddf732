//! What the admin API answers, in JSON.

use crate::wire::json::text::{write_number, write_string};

/// One connection in a list.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its public name.
    pub connection: &'a str,
    /// `anonymous`, `user`, `key` or `operator`; `None` over HTTP, where each request says it anew.
    pub who: Option<&'static str>,
    /// The name of the user or the key.
    pub name: Option<&'a str>,
    /// The id of the token.
    pub token: Option<&'a str>,
    /// Where its client is.
    pub address: &'a str,
    /// Which listener it came in by.
    pub listener: &'a str,
    /// What it speaks.
    pub transport: &'static str,
    /// When it was accepted, in milliseconds since 1970.
    pub since_ms: u64,
    /// Bytes that came from its client, and bytes that its client has received.
    pub transferred: Option<(u64, u64)>,
    /// Bytes that wait for it.
    pub lag: u64,
    /// Channels that it is subscribed to.
    pub subscriptions: u64,
}

/// One revocation in a list.
#[derive(Debug, Clone, Copy)]
pub struct ListedRevocation<'a> {
    /// `token`, `user` or `key`.
    pub kind: &'static str,
    /// The id or the name.
    pub name: &'a str,
    /// Since when, in seconds since 1970.
    pub since_s: u64,
    /// Until when; `None` for as long as the server runs.
    pub until_s: Option<u64>,
}

/// How the answer to an operation begins, and what it ends with.
#[derive(Debug, Default)]
pub struct Page {
    out: Vec<u8>,
}

impl Page {
    /// Adds a number.
    #[must_use]
    pub fn number(mut self, name: &str, value: u64) -> Page {
        self.name(name);
        write_number(&mut self.out, value);
        self
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Page {
        self.name(name);
        write_string(&mut self.out, value);
        self
    }

    /// Adds what is true or false.
    #[must_use]
    pub fn flag(mut self, name: &str, value: bool) -> Page {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn texts(mut self, name: &str, texts: &[String]) -> Page {
        self.name(name);
        self.out.push(b'[');
        for (place, text) in texts.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write_string(&mut self.out, text);
        }
        self.out.push(b']');
        self
    }

    /// Adds a list of objects.
    #[must_use]
    pub fn list<T>(mut self, name: &str, rows: impl IntoIterator<Item = T>, write: impl Fn(Page, T) -> Page) -> Page {
        self.name(name);
        self.out.push(b'[');
        for (place, row) in rows.into_iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.out.extend(write(Page::default(), row).closed());
        }
        self.out.push(b']');
        self
    }

    /// Adds a value that is JSON already.
    #[must_use]
    pub fn raw(mut self, name: &str, json: &[u8]) -> Page {
        self.name(name);
        self.out.extend_from_slice(json);
        self
    }

    /// Adds a list of values that are JSON already.
    #[must_use]
    pub fn raw_list(self, name: &str, rows: &[&[u8]]) -> Page {
        let list = [b"[", &rows.join(&b","[..])[..], b"]"].concat();
        self.raw(name, &list)
    }

    /// Adds the numbers of the reactors that did not answer in time, if there are any.
    #[must_use]
    pub fn missing(mut self, reactors: &[usize]) -> Page {
        if !reactors.is_empty() {
            self.name("missing");
            self.out.push(b'[');
            for (place, reactor) in reactors.iter().enumerate() {
                if place > 0 {
                    self.out.push(b',');
                }
                write_number(&mut self.out, *reactor as u64);
            }
            self.out.push(b']');
        }
        self
    }

    /// The whole body.
    #[must_use]
    pub fn body(self) -> Vec<u8> {
        let mut out = self.closed();
        out.push(b'\n');
        out
    }

    fn name(&mut self, name: &str) {
        self.out.push(if self.out.is_empty() { b'{' } else { b',' });
        write_string(&mut self.out, name);
        self.out.push(b':');
    }

    fn closed(mut self) -> Vec<u8> {
        if self.out.is_empty() {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        self.out
    }
}

/// A connection as an object.
#[must_use]
pub fn connection(page: Page, listed: &Listed<'_>) -> Page {
    let mut page = page.text("connection", listed.connection);
    if let Some(who) = listed.who {
        page = page.text("who", who);
        if let Some(name) = listed.name {
            page = page.text(who, name);
        }
    }
    if let Some(token) = listed.token {
        page = page.text("token", token);
    }
    page = page
        .text("address", listed.address)
        .text("listener", listed.listener)
        .text("transport", listed.transport)
        .number("since", listed.since_ms);
    if let Some((bytes_in, bytes_out)) = listed.transferred {
        page = page.number("bytes_in", bytes_in).number("bytes_out", bytes_out);
    }
    page.number("lag", listed.lag).number("subscriptions", listed.subscriptions)
}

/// A revocation as an object.
#[must_use]
pub fn revocation(page: Page, listed: &ListedRevocation<'_>) -> Page {
    let page = page.text(listed.kind, listed.name).number("since", listed.since_s * 1000);
    match listed.until_s {
        Some(until) => page.number("until", until),
        None => page,
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, ListedRevocation, Page, connection, revocation};

    #[test]
    fn what_is_not_known_is_left_out() {
        let listed = Listed {
            connection: "NAME",
            who: Some("user"),
            name: Some("a\"da"),
            token: Some("t"),
            address: "192.0.2.7",
            listener: "127.0.0.1:80",
            transport: "websocket",
            since_ms: 1000,
            transferred: Some((1, 2)),
            lag: 3,
            subscriptions: 4,
        };
        let http = Listed { who: None, name: None, token: None, transferred: None, transport: "http", ..listed };
        let page = Page::default().list("connections", [listed, http], |page, listed| connection(page, &listed));
        let text = String::from_utf8(page.text("next", "NAME").missing(&[0, 2]).body()).expect("UTF-8");
        assert_eq!(
            text,
            "{\"connections\":[{\"connection\":\"NAME\",\"who\":\"user\",\"user\":\"a\\\"da\",\"token\":\"t\",\
             \"address\":\"192.0.2.7\",\"listener\":\"127.0.0.1:80\",\"transport\":\"websocket\",\"since\":1000,\
             \"bytes_in\":1,\"bytes_out\":2,\"lag\":3,\"subscriptions\":4},{\"connection\":\"NAME\",\
             \"address\":\"192.0.2.7\",\"listener\":\"127.0.0.1:80\",\"transport\":\"http\",\"since\":1000,\"lag\":3,\
             \"subscriptions\":4}],\"next\":\"NAME\",\"missing\":[0,2]}\n"
        );
    }

    #[test]
    fn an_answer_is_one_object() {
        let text = |page: Page| String::from_utf8(page.body()).expect("UTF-8");
        assert_eq!(text(Page::default().missing(&[])), "{}\n");
        assert_eq!(text(Page::default().flag("restored", false)), "{\"restored\":false}\n");
        let texts = ["a\"".to_owned(), "b".to_owned()];
        assert_eq!(text(Page::default().texts("x", &texts).texts("y", &[])), "{\"x\":[\"a\\\"\",\"b\"],\"y\":[]}\n");
        let listed = ListedRevocation { kind: "key", name: "k", since_s: 2, until_s: None };
        let ending = ListedRevocation { until_s: Some(9), ..listed };
        let page = Page::default().list("revocations", [listed, ending], |page, listed| revocation(page, &listed));
        assert_eq!(
            text(page),
            "{\"revocations\":[{\"key\":\"k\",\"since\":2000},{\"key\":\"k\",\"since\":2000,\"until\":9}]}\n"
        );
    }
}
