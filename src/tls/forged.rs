//! Records that no library makes, sealed with the keys of a client that is through its handshake: for tests of what peers may do.

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite};

/// Takes the place of a client, which must have sent nothing yet.
pub(crate) struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Forger {
    pub(crate) fn of(client: ClientConnection) -> Forger {
        let suite = client.negotiated_cipher_suite().expect("its handshake is over");
        let (sequence, secrets) = client.dangerous_extract_secrets().expect("the test's configuration allows it").tx;
        let (key, iv) = match secrets {
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
            _ => panic!("the client offers ChaCha20 alone"),
        };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
        };
        Forger { encrypter, sequence }
    }

    /// A record of these bytes, and of none too.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.record(ContentType::ApplicationData, bytes)
    }

    /// A handshake message, or a part of one.
    pub(crate) fn handshake(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.record(ContentType::Handshake, bytes)
    }

    pub(crate) fn alert(&mut self, level: u8, description: u8) -> Vec<u8> {
        self.record(ContentType::Alert, &[level, description])
    }

    fn record(&mut self, typ: ContentType, bytes: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(bytes);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        let sealed = self.encrypter.encrypt(message, self.sequence).expect("few records");
        self.sequence += 1;
        sealed.encode()
    }
}
