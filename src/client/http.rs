//! Requests over HTTP, for what a socket has no requests for: each on a connection of its own.

use super::MESSAGE_BYTES;
use super::endpoint::Endpoint;
use super::error::{ClientError, error_message, is_timeout};
use super::message::Members;
use super::stream::Stream;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

/// Sends a request to a path of the server, with a JSON body if there is one; the object that answers it.
///
/// # Errors
/// No server answers there in time, the answer is no object, or it is a refusal.
pub fn ask(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    json: Option<&str>,
    wait: Duration,
) -> Result<Members, ClientError> {
    let answer = exchange(endpoint, method, path, json, wait)?;
    let (status, body) = read(&answer)?;
    if (200..300).contains(&status) {
        return std::str::from_utf8(body).map_err(|_| unexpected(&answer))?.parse();
    }
    let message = error_message(body).unwrap_or_else(|| "no reason given".to_owned());
    Err(ClientError::Refused { status, message })
}

/// What a server says of itself at `/livez` or `/readyz`: a word.
///
/// # Errors
/// No server answers there in time, or it says that it is not well.
pub fn health(endpoint: &Endpoint, path: &str, wait: Duration) -> Result<String, ClientError> {
    let answer = exchange(endpoint, "GET", path, None, wait)?;
    let (status, body) = read(&answer)?;
    let word = String::from_utf8_lossy(body).trim().to_owned();
    if status == 200 {
        Ok(word)
    } else {
        Err(ClientError::Refused { status, message: error_message(body).unwrap_or(word) })
    }
}

/// Sends a request; the whole answer.
fn exchange(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    json: Option<&str>,
    wait: Duration,
) -> Result<Vec<u8>, ClientError> {
    let mut stream = Stream::connect(endpoint, wait)?;
    let mut request = request(endpoint, method, path)?;
    if let Some(json) = json {
        request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len()));
    }
    request.push_str("\r\n");
    request.push_str(json.unwrap_or_default());
    stream.write_all(request.as_bytes()).map_err(|error| ClientError::Lost(error.to_string()))?;
    let answer = receive(&mut stream, Instant::now() + wait)?;
    // It ends the connection in any case.
    let _ = stream.end();
    Ok(answer)
}

/// HTTP/1.0, so that nothing on the way answers in chunks or keeps the connection.
fn request(endpoint: &Endpoint, method: &str, path: &str) -> Result<String, ClientError> {
    let (host, target) = (endpoint.authority(), endpoint.place(path));
    let mut request = format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n");
    if let Some(tokens) = endpoint.tokens() {
        request.push_str(&format!("Authorization: Bearer {}\r\n", tokens.current()?.reveal()));
    }
    Ok(request)
}

/// Reads to the end of the answer: where its length says, else where its connection ends.
fn receive(stream: &mut Stream, until: Instant) -> Result<Vec<u8>, ClientError> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while !is_whole(&answer) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ClientError::TimedOut);
        }
        stream.set_read_timeout(left).map_err(|error| ClientError::Lost(error.to_string()))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if is_timeout(&error) => return Err(ClientError::TimedOut),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ClientError::Lost(error.to_string())),
        }
        if answer.len() > MESSAGE_BYTES {
            return Err(ClientError::Unexpected("an answer that is too long".to_owned()));
        }
    }
    Ok(answer)
}

/// Head and body of what has come, once the head is there.
fn split(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]))
}

fn is_whole(answer: &[u8]) -> bool {
    let length = |head: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        value.trim().parse::<usize>().ok()
    };
    split(answer).is_some_and(|(head, body)| length(head).is_some_and(|length| body.len() >= length))
}

/// The status and the body of an answer.
fn read(answer: &[u8]) -> Result<(u16, &[u8]), ClientError> {
    let (head, body) = split(answer).ok_or_else(|| unexpected(answer))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| unexpected(answer))?, body))
}

fn unexpected(answer: &[u8]) -> ClientError {
    ClientError::Unexpected(String::from_utf8_lossy(answer).chars().take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::{ClientError, Endpoint, ask};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    const WAIT: Duration = Duration::from_secs(5);

    /// Asks a server that answers so; the outcome, and what it received.
    fn asked(answer: &'static str, json: Option<&str>) -> (Result<Option<String>, ClientError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/behind/ws", listener.local_addr().expect("an address"));
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut received = String::new();
            while !(received.contains("\r\n\r\n") && (received.starts_with("GET") || received.ends_with('}'))) {
                let mut buffer = [0; 1024];
                let read = stream.read(&mut buffer).expect("a request");
                received.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
            }
            stream.write_all(answer.as_bytes()).expect("sent");
            // Where the length says the end, the client does not wait for that of the connection.
            if answer.contains("Content-Length") {
                let _ = stream.read(&mut [0; 1]);
            }
            received
        });
        let endpoint = url.parse::<Endpoint>().expect("an address").with_token("s3cret").expect("a token");
        let method = if json.is_some() { "POST" } else { "GET" };
        let outcome = ask(&endpoint, method, "/admin/x?a=b", json, WAIT).map(|members| members.text("a"));
        (outcome, thread.join().expect("no panic"))
    }

    #[test]
    fn an_answer_is_an_object_or_a_refusal() {
        let (outcome, request) = asked("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}", None);
        assert_eq!(outcome.expect("an answer").as_deref(), Some("b"));
        assert!(request.starts_with("GET /behind/admin/x?a=b HTTP/1.0\r\nHost: 127.0.0.1:"), "{request}");
        assert!(request.contains("\r\nAuthorization: Bearer s3cret\r\n"), "{request}");
        let (outcome, request) = asked("HTTP/1.1 200 OK\r\n\r\n{\"a\":\"to the end\"}", Some("{\"x\":1}"));
        assert_eq!(outcome.expect("an answer").as_deref(), Some("to the end"));
        assert!(request.contains("\r\nContent-Length: 7\r\n\r\n{\"x\":1}"), "{request}");
        let refused = "HTTP/1.1 401 No\r\n\r\n{\"error\":{\"code\":\"operator_needed\",\"message\":\"for operators\"}}";
        assert_eq!(asked(refused, None).0.expect_err("refused").to_string(), "refused with 401: for operators");
        assert!(matches!(asked("HTTP/1.1 200 OK\r\n\r\n<html>", None).0, Err(ClientError::Unexpected(_))));
        assert!(matches!(asked("nonsense", None).0, Err(ClientError::Unexpected(_))));
    }
}
