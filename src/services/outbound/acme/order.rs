//! One order, from the account to the chain of certificates.

use super::client::Client;
use super::failure::Failure;
use super::store::{Kept, Store};
use super::{AcmeHost, ChallengeKind, Wanted};
use crate::tls::challenge::proof;
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, ExternalAccountKey, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use std::sync::Arc;
use std::time::Duration;

/// How long the authority may take to look, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_secs(180));

/// What an order needs.
#[derive(Clone)]
pub(super) struct Ordering {
    pub(super) wanted: Wanted,
    pub(super) store: Store,
    pub(super) host: Arc<dyn AcmeHost>,
    pub(super) client: Client,
}

/// Whoever asks is answered until this is dropped, however that comes.
struct Answering<'o>(&'o Ordering);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.host.expect_http(Vec::new());
        self.0.host.expect_tls(Vec::new());
    }
}

impl Ordering {
    /// Orders, answers for the names, and keeps what comes.
    pub(super) async fn issue(&self) -> Result<Kept, Failure> {
        match self.try_to().await {
            // It was made with another authority at this address, or long ago.
            Err(failure) if failure.is_stranger() => {
                let forgotten = self.store.forget_account(&self.wanted.directory);
                forgotten.map_err(|error| Failure::own("folder", error.to_string()))?;
                self.try_to().await
            }
            other => other,
        }
    }

    async fn try_to(&self) -> Result<Kept, Failure> {
        let account = self.account().await?;
        let names: Vec<_> = self.wanted.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let answering = self.prove(&mut order).await?;
        let ready = order.poll_ready(&PATIENCE).await;
        drop(answering);
        if !matches!(ready, Ok(OrderStatus::Ready)) {
            return Err(reason(&mut order).await.unwrap_or_else(|| match ready {
                Err(error) => error.into(),
                Ok(status) => Failure::refused(format!("its order is {status:?}")),
            }));
        }
        let (request, key) = self.request().map_err(|error| Failure::own("failed", error.to_string()))?;
        order.finalize_csr(&request).await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let Wanted { directory, domains, .. } = &self.wanted;
        let kept = self.store.keep(&chain, &key.serialize_pem(), directory, domains);
        kept.map_err(|problem| Failure::own("not_kept", format!("the certificate cannot be kept: {problem}")))
    }

    /// The account that is kept, or a new one.
    async fn account(&self) -> Result<Account, Failure> {
        let Wanted { directory, email, external, .. } = &self.wanted;
        let builder = || Account::builder_with_http(Box::new(self.client.clone()));
        let mail = format!("mailto:{email}");
        let contact: &[&str] = if email.is_empty() { &[] } else { &[&mail] };
        let own = |error: String| Failure::own("folder", error);
        if let Some((credentials, known)) = self.store.account(directory).map_err(own)? {
            let account = builder().from_credentials(credentials).await?;
            if known != *email {
                account.update_contacts(contact).await?;
                // Read again, since the first was used up.
                if let Some((credentials, _)) = self.store.account(directory).map_err(own)? {
                    let kept = self.store.keep_account(directory, &credentials, email);
                    kept.map_err(|error| own(error.to_string()))?;
                }
            }
            return Ok(account);
        }
        let new = NewAccount { contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = external.as_ref().map(|(id, key)| ExternalAccountKey::new(id.clone(), key));
        let (account, credentials) = builder().create(&new, directory.clone(), external.as_ref()).await?;
        self.store.keep_account(directory, &credentials, email).map_err(|error| own(error.to_string()))?;
        Ok(account)
    }

    /// Answers for the names that the authority wants to be shown, and says that it may look.
    async fn prove(&self, order: &mut Order) -> Result<Answering<'_>, Failure> {
        let answering = Answering(self);
        let kind = match self.wanted.challenge {
            ChallengeKind::TlsAlpn => ChallengeType::TlsAlpn01,
            ChallengeKind::Http => ChallengeType::Http01,
        };
        let (mut answers, mut proofs) = (Vec::new(), Vec::new());
        let mut all = order.authorizations();
        while let Some(one) = all.next().await {
            let mut one = one?;
            let name = one.identifier().to_string();
            // Valid ones are those of an order before.
            if one.status != AuthorizationStatus::Pending {
                continue;
            }
            let Some(challenge) = one.challenge(kind.clone()) else {
                return Err(Failure::refused(format!(
                    "{name}: the authority does not offer the challenge that is set"
                )));
            };
            let expected = challenge.key_authorization();
            match self.wanted.challenge {
                ChallengeKind::TlsAlpn => {
                    let proof =
                        proof(&name, expected.digest().as_ref()).map_err(|error| Failure::own("failed", error))?;
                    proofs.push((name, proof));
                }
                ChallengeKind::Http => answers.push((challenge.token.clone(), expected.as_str().to_owned())),
            }
        }
        self.host.expect_http(answers);
        self.host.expect_tls(proofs);
        let mut all = order.authorizations();
        while let Some(one) = all.next().await {
            let mut one = one?;
            if one.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = one.challenge(kind.clone())
            {
                challenge.set_ready().await?;
            }
        }
        Ok(answering)
    }

    /// A request for a certificate (DER) by a new key, which is the certificate's alone.
    fn request(&self) -> Result<(Vec<u8>, KeyPair), rcgen::Error> {
        let mut params = CertificateParams::new(self.wanted.domains.clone())?;
        params.distinguished_name = DistinguishedName::new();
        let key = KeyPair::generate()?;
        Ok((params.serialize_request(&key)?.der().to_vec(), key))
    }
}

/// What the authority says of the names that it was not shown to be ours, if it does.
async fn reason(order: &mut Order) -> Option<Failure> {
    let mut found: Option<Failure> = None;
    let mut all = order.authorizations();
    while let Some(Ok(mut one)) = all.next().await {
        if one.refresh().await.is_err() {
            continue;
        }
        let name = one.identifier().to_string();
        for problem in one.challenges.iter().filter_map(|challenge| challenge.error.as_ref()) {
            let failure = Failure::of_problem(problem, Some(&name));
            match &mut found {
                Some(first) => first.problem = format!("{}; {}", first.problem, failure.problem),
                None => found = Some(failure),
            }
        }
    }
    found
}
