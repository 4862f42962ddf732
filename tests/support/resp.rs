//! A small client for Redis: one command after the other, answers as values.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nothing,
    List(Vec<Reply>),
}

impl Reply {
    /// A text.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Status(text) => text.clone(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// A number.
    pub(crate) fn integer(&self) -> i64 {
        match self {
            Reply::Integer(number) => *number,
            other => panic!("no number: {other:?}"),
        }
    }

    /// The items of a list; none of what is nothing.
    pub(crate) fn list(&self) -> &[Reply] {
        match self {
            Reply::List(items) => items,
            Reply::Nothing => &[],
            other => panic!("no list: {other:?}"),
        }
    }
}

/// An open connection.
pub(crate) struct RedisClient(BufReader<TcpStream>);

impl RedisClient {
    pub(crate) fn try_connect(address: SocketAddr) -> Result<RedisClient> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(RedisClient(BufReader::new(stream)))
    }

    /// One command. An error of Redis fails the test.
    pub(crate) fn ask(&mut self, words: &[impl AsRef<[u8]>]) -> Reply {
        match self.try_ask(words).expect("an answer") {
            Reply::Error(text) => panic!("{}: {text}", String::from_utf8_lossy(words[0].as_ref())),
            reply => reply,
        }
    }

    /// The same, whatever is answered.
    pub(crate) fn try_ask(&mut self, words: &[impl AsRef<[u8]>]) -> Result<Reply> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes)?;
        self.read()
    }

    /// The next answer, or what was published to a channel that is subscribed.
    pub(crate) fn read(&mut self) -> Result<Reply> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at(1.min(line.len()));
        let number = || rest.parse::<i64>().map_err(|_| Error::other(format!("no number: {line:?}")));
        Ok(match kind {
            "+" => Reply::Status(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number()?),
            "$" => match usize::try_from(number()?) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.0.read_exact(&mut bytes)?;
                    bytes.truncate(length);
                    Reply::Bulk(bytes)
                }
                Err(_) => Reply::Nothing,
            },
            "*" => match usize::try_from(number()?) {
                Ok(length) => Reply::List((0..length).map(|_| self.read()).collect::<Result<_>>()?),
                Err(_) => Reply::Nothing,
            },
            _ => return Err(Error::other(format!("no answer: {line:?}"))),
        })
    }
}
