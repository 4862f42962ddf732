//! The client against a scripted server on a real socket.

use super::{Backoff, Client, ClientError, Endpoint, Request};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{Request as Upgrade, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

const WAIT: Duration = Duration::from_secs(5);

/// Accepts one connection without a token and hands it to the script.
fn server(script: impl FnOnce(WebSocket<TcpStream>) + Send + 'static) -> (Endpoint, JoinHandle<()>) {
    server_for(None, script)
}

/// Accepts one connection with this token and hands it to the script.
fn server_for(
    token: Option<&'static str>,
    script: impl FnOnce(WebSocket<TcpStream>) + Send + 'static,
) -> (Endpoint, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = listener.local_addr().expect("an address").to_string().parse().expect("an endpoint");
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
        let shake = |request: &Upgrade, mut response: Response| {
            assert_eq!(request.uri().path(), "/ws");
            assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "tidings.v1");
            let field = request.headers().get("Authorization").map(|field| field.to_str().expect("ASCII").to_owned());
            assert_eq!(field, token.map(|token| format!("Bearer {token}")));
            response.headers_mut().insert("Sec-WebSocket-Protocol", "tidings.v1".parse().expect("a value"));
            Ok(response)
        };
        script(tungstenite::accept_hdr(stream, shake).expect("a handshake"));
    });
    (endpoint, thread)
}

#[test]
fn pushes_before_an_answer_are_kept_in_order() {
    let (endpoint, thread) = server(|mut socket| {
        let request = socket.read().expect("a request").into_text().expect("text");
        assert_eq!(request.as_str(), "{\"id\":1,\"method\":\"GET\",\"path\":\"/channels/a\"}");
        for text in
            ["{\"channel\":\"b\",\"offset\":1}", "{\"channel\":\"b\",\"offset\":2}", "{\"id\":1,\"status\":200}"]
        {
            socket.send(Message::text(text)).expect("sent");
        }
        socket.send(Message::Ping("x".into())).expect("sent");
        assert!(socket.read().expect("a pong").is_pong());
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&endpoint, WAIT).expect("connected");
    assert_eq!(client.ask(&Request::get("a"), WAIT).expect("an answer").number("status"), Some(200));
    for offset in [1, 2] {
        let push = client.next_push(WAIT).expect("connected").expect("a push");
        assert_eq!(push.number("offset"), Some(offset));
    }
    assert!(client.next_push(Duration::from_millis(100)).expect("connected").is_none());
    client.close();
    thread.join().expect("the script");
}

#[test]
fn refusals_closes_and_silence_are_told_apart() {
    let (endpoint, thread) = server(|mut socket| {
        socket.read().expect("a request");
        let refused = "{\"id\":1,\"status\":503,\"error\":{\"code\":\"busy\",\"message\":\"later\"}}";
        socket.send(Message::text(refused)).expect("sent");
        socket.read().expect("a request");
        socket.read().expect("a request");
        let frame = CloseFrame { code: 1012.into(), reason: "server_shutdown".into() };
        socket.close(Some(frame)).expect("closed");
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&endpoint, WAIT).expect("connected");
    let refused = client.ask(&Request::livez(), WAIT).expect_err("refused");
    assert!(matches!(&refused, ClientError::Refused { status: 503, .. }) && refused.is_temporary(), "{refused}");
    let silent = client.ask(&Request::livez(), Duration::from_millis(50)).expect_err("silence");
    assert!(matches!(silent, ClientError::TimedOut), "{silent}");
    let closed = client.ask(&Request::livez(), WAIT).expect_err("closed");
    assert_eq!(closed.to_string(), "closed by the server with 1012 server_shutdown");
    assert!(closed.is_temporary());
    client.close();
    thread.join().expect("the script");
}

#[test]
fn an_answer_without_an_id_is_nobodys_unless_it_is_an_error() {
    let (endpoint, thread) = server(|mut socket| {
        socket.read().expect("a request");
        for text in ["{\"status\":200,\"channel\":\"x\",\"offset\":9}", "{\"id\":1,\"status\":200,\"offset\":1}"] {
            socket.send(Message::text(text)).expect("sent");
        }
        socket.read().expect("a request");
        let unread = "{\"status\":400,\"error\":{\"code\":\"bad_json\",\"message\":\"no JSON\"}}";
        socket.send(Message::text(unread)).expect("sent");
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&endpoint, WAIT).expect("connected");
    let answer = client.ask(&Request::post("a", "1"), WAIT).expect("an answer");
    assert_eq!(answer.number("offset"), Some(1), "another's answer was taken for this one's");
    let error = client.ask(&Request::post("a", "1"), WAIT).expect_err("refused");
    assert_eq!(error.to_string(), "refused with 400: no JSON");
    client.close();
    thread.join().expect("the script");
}

#[test]
fn nobody_there_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = Client::connect(&address.to_string().parse().expect("an endpoint"), WAIT).expect_err("nobody");
    assert!(error.to_string().starts_with(&format!("no server answers at {address}")), "{error}");
    assert!(error.is_temporary());
}

/// An endpoint whose tokens are these, one after the other, and then none.
fn with_tokens(endpoint: Endpoint, tokens: &[&'static str]) -> Endpoint {
    let left = Mutex::new(tokens.to_vec());
    endpoint.with_tokens(move || {
        let mut left = left.lock().expect("no test panics with it");
        if left.is_empty() { Err("no more".to_owned()) } else { Ok(left.remove(0).to_owned()) }
    })
}

#[test]
fn a_token_that_expires_is_renewed_while_the_connection_goes_on() {
    let expiring = || Message::text("{\"auth\":\"expiring\",\"in\":60}");
    let (endpoint, thread) = server_for(Some("one"), move |mut socket| {
        let text = |socket: &mut WebSocket<TcpStream>| socket.read().expect("a frame").into_text().expect("text");
        assert_eq!(text(&mut socket).as_str(), "{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}");
        socket.send(expiring()).expect("sent");
        assert_eq!(text(&mut socket).as_str(), "{\"id\":2,\"method\":\"AUTH\",\"token\":\"two\"}");
        for answer in ["{\"channel\":\"a\",\"offset\":1}", "{\"id\":2,\"status\":200}", "{\"id\":1,\"status\":200}"] {
            socket.send(Message::text(answer)).expect("sent");
        }
        // The same token again, and then none: nothing is sent, and what follows is received all the same.
        socket.send(expiring()).expect("sent");
        socket.send(expiring()).expect("sent");
        socket.send(Message::text("{\"channel\":\"a\",\"offset\":2}")).expect("sent");
        assert_eq!(text(&mut socket).as_str(), "{\"id\":3,\"method\":\"GET\",\"path\":\"/livez\"}");
        socket.send(Message::text("{\"id\":3,\"status\":200}")).expect("sent");
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&with_tokens(endpoint, &["one", "two", "two"]), WAIT).expect("connected");
    client.ask(&Request::livez(), WAIT).expect("an answer");
    for offset in [1, 2] {
        let push = client.next_push(WAIT).expect("connected").expect("a push");
        assert_eq!(push.number("offset"), Some(offset), "neither the announcement nor the answer to AUTH is a push");
    }
    client.ask(&Request::livez(), WAIT).expect("an answer");
    client.close();
    thread.join().expect("the script");
}

#[test]
fn a_new_token_that_is_refused_is_an_error_of_what_was_waited_for() {
    let (endpoint, thread) = server_for(Some("one"), |mut socket| {
        socket.send(Message::text("{\"auth\":\"expiring\",\"in\":60}")).expect("sent");
        socket.read().expect("AUTH");
        let refused = "{\"id\":1,\"status\":401,\"error\":{\"code\":\"token_invalid\",\"message\":\"not this one\"}}";
        socket.send(Message::text(refused)).expect("sent");
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&with_tokens(endpoint, &["one", "two"]), WAIT).expect("connected");
    let error = client.next_push(WAIT).expect_err("refused");
    assert_eq!(error.to_string(), "refused with 401: not this one");
    client.close();
    thread.join().expect("the script");
}

#[test]
fn without_a_token_where_there_should_be_one_nothing_is_connected() {
    let endpoint: Endpoint = "127.0.0.1:9".parse().expect("an endpoint");
    let error = Client::connect(&with_tokens(endpoint, &[]), WAIT).expect_err("no token");
    assert_eq!(error.to_string(), "there is no token: no more");
}

#[test]
fn a_server_that_ends_is_left_when_it_says_and_what_came_before_is_handed_over() {
    let (endpoint, thread) = server(|mut socket| {
        socket.read().expect("a request");
        for text in [
            "{\"reconnect\":\"server_shutdown\",\"after_ms\":0}",
            "{\"channel\":\"a\",\"offset\":1}",
            "{\"id\":1,\"status\":200}",
        ] {
            socket.send(Message::text(text)).expect("sent");
        }
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&endpoint, WAIT).expect("connected");
    client.ask(&Request::livez(), WAIT).expect("the answer is waited for, though it is time to leave");
    assert_eq!(client.next_push(WAIT).expect("it came").expect("a push").number("offset"), Some(1));
    let error = client.next_push(WAIT).expect_err("it is time to leave");
    assert!(matches!(error, ClientError::Leaving) && error.is_temporary(), "{error}");
    client.close();
    thread.join().expect("the script");
}

#[test]
fn a_server_that_closes_before_its_time_has_said_when_to_come_back() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (endpoint, thread) = server(|mut socket| {
        let text = format!("{{\"reconnect\":\"server_shutdown\",\"after_ms\":{}}}", HOUR.as_millis());
        socket.send(Message::text(text)).expect("sent");
        let close = CloseFrame { code: 1012.into(), reason: "server_shutdown".into() };
        socket.close(Some(close)).expect("sent");
        while socket.read().is_ok() {}
    });
    let (before, mut backoff) = (Instant::now(), Backoff::default());
    let mut client = Client::connect(&endpoint, WAIT).expect("connected");
    assert_eq!(client.reconnects_at(), None);
    let error = client.next_push(WAIT).expect_err("closed");
    assert_eq!(error.label(), Some("server_shutdown"));
    let at = client.reconnects_at().expect("it was said");
    assert!(at >= before + HOUR && at <= Instant::now() + HOUR);
    backoff.advised(client.reconnects_at());
    assert!(backoff.next_wait() > HOUR / 2, "and not half a second at most");
    client.close();
    thread.join().expect("the script");
}
