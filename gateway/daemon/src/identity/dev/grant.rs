//! The token endpoint: device code, client credentials, and token exchange (RFC 6749, 8628, 8693).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::device::Poll;
use super::people::Client;
use super::{DevError, DevIssuer, NOTICE, random_text};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A decoded form.
pub type Form = HashMap<String, String>;

/// What a token says.
#[derive(Clone, Debug)]
pub struct Claims {
    /// For whom it speaks.
    pub subject: String,
    /// The mail address.
    pub email: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// The agent that acts for the subject.
    pub agent: Option<String>,
    /// For whom it is meant.
    pub audience: String,
    /// How long it lives, seconds.
    pub lifetime: i64,
    /// The client that asked for it.
    pub client: String,
}

/// An error of the token endpoint.
#[derive(Debug)]
pub struct Refused {
    /// The code of the RFCs.
    pub error: &'static str,
    /// A sentence for people.
    pub description: &'static str,
}

impl DevIssuer {
    /// Makes an access token.
    pub fn mint(&self, claims: &Claims, now: i64) -> Result<String, DevError> {
        let mut body = json!({
            "iss": self.url(), "sub": claims.subject, "aud": claims.audience,
            "iat": now, "exp": now + claims.lifetime, "jti": random_text::<16>()?,
            "client_id": claims.client, "groups": claims.groups,
        });
        if let Some(email) = &claims.email {
            body["email"] = json!(email);
            body["email_verified"] = json!(true);
        }
        if let Some(agent) = &claims.agent {
            body["act"] = json!({"sub": agent});
        }
        self.key.sign("at+jwt", &body)
    }

    /// The claims of a user's token, as the issuer knows the user.
    pub fn claims_of(&self, user: &str, client: &str) -> Option<Claims> {
        let user = self.people().user(user)?;
        Some(Claims {
            subject: user.name.clone(),
            email: user.email.clone(),
            groups: user.groups.clone(),
            agent: None,
            audience: self.people().audience.clone(),
            lifetime: self.people().lifetime,
            client: client.to_owned(),
        })
    }

    /// Answers a request for a token.
    pub fn grant(
        &self,
        form: &Form,
        basic: Option<(String, String)>,
        now: i64,
    ) -> Result<Value, Refused> {
        let client = self.client(form, basic)?;
        match form.get("grant_type").map(String::as_str) {
            Some(DEVICE) => self.device_grant(form, client, now),
            Some("client_credentials") => self.client_grant(client, now),
            Some(EXCHANGE) => self.exchange_grant(form, client, now),
            Some(_) => Err(refused("unsupported_grant_type", "this grant type is not offered")),
            None => Err(refused("invalid_request", "grant_type is missing")),
        }
    }

    /// The client of a request, authenticated if it has a secret.
    pub fn client(&self, form: &Form, basic: Option<(String, String)>) -> Result<&Client, Refused> {
        let wrong = || refused("invalid_client", "the client is unknown or its secret is wrong");
        let (id, given) = match basic {
            Some((id, secret)) => (id, Some(secret)),
            None => {
                let id = form.get("client_id").cloned().ok_or_else(wrong)?;
                (id, form.get("client_secret").cloned())
            }
        };
        let client = self.people().client(&id).ok_or_else(wrong)?;
        match (&client.secret, given) {
            (None, _) => Ok(client),
            (Some(secret), Some(given)) => aws_lc_rs::constant_time::verify_slices_are_equal(
                secret.expose().as_bytes(),
                given.as_bytes(),
            )
            .map(|()| client)
            .map_err(|_| wrong()),
            (Some(_), None) => Err(wrong()),
        }
    }

    fn device_grant(&self, form: &Form, client: &Client, now: i64) -> Result<Value, Refused> {
        let Some(code) = form.get("device_code") else {
            return Err(refused("invalid_request", "device_code is missing"));
        };
        let polled = self.devices().poll(code, &client.id, now);
        let (user, scope) = match polled {
            Poll::Approved { user, scope } => (user, scope),
            Poll::Pending => {
                return Err(refused("authorization_pending", "nobody has confirmed the code yet"));
            }
            Poll::SlowDown => {
                return Err(refused("slow_down", "wait five seconds longer between polls"));
            }
            Poll::Denied => return Err(refused("access_denied", "the login was refused")),
            Poll::Expired => return Err(refused("expired_token", "the code has expired")),
            Poll::Unknown => return Err(refused("invalid_grant", "there is no such code")),
        };
        let gone = || refused("invalid_grant", "the user is gone");
        let claims = self.claims_of(&user, &client.id).ok_or_else(gone)?;
        let mut answer = self.answer(&claims, now)?;
        if scope.split(' ').any(|word| word == "openid") {
            answer["id_token"] = json!(self.id_token(&claims, now)?);
        }
        answer["scope"] = json!(scope);
        Ok(answer)
    }

    fn client_grant(&self, client: &Client, now: i64) -> Result<Value, Refused> {
        confidential(client)?;
        let own = Claims {
            subject: client.id.clone(),
            email: None,
            groups: client.groups.clone(),
            agent: None,
            audience: self.people().audience.clone(),
            lifetime: self.people().lifetime,
            client: client.id.clone(),
        };
        let acting = client.acts_for.as_ref().and_then(|user| self.claims_of(user, &client.id));
        let claims = match acting {
            Some(claims) => Claims { agent: Some(client.id.clone()), ..claims },
            None => own,
        };
        self.answer(&claims, now)
    }

    /// A client that holds a user's token gets one in which it acts for that user.
    fn exchange_grant(&self, form: &Form, client: &Client, now: i64) -> Result<Value, Refused> {
        confidential(client)?;
        if form.get("subject_token_type").map(String::as_str) != Some(ACCESS_TOKEN) {
            return Err(refused("invalid_request", "subject_token_type must be an access token"));
        }
        let token = form.get("subject_token").map_or("", String::as_str);
        let known = self.key.own_claims(token, self.url(), now);
        let known = known.filter(|known| known["act"].is_null());
        let Some(known) = known else {
            return Err(refused("invalid_grant", "subject_token is not a user's valid token"));
        };
        let user = known["sub"].as_str().unwrap_or_default();
        let Some(mut claims) = self.claims_of(user, &client.id) else {
            return Err(refused("invalid_grant", "subject_token is not a user's valid token"));
        };
        claims.agent = Some(client.id.clone());
        // The exchanged token does not outlive the one that it was made from.
        claims.lifetime = claims.lifetime.min(known["exp"].as_i64().unwrap_or(now) - now);
        let mut answer = self.answer(&claims, now)?;
        answer["issued_token_type"] = json!(ACCESS_TOKEN);
        Ok(answer)
    }

    fn answer(&self, claims: &Claims, now: i64) -> Result<Value, Refused> {
        Ok(json!({
            "access_token": self.mint(claims, now).map_err(failed)?,
            "token_type": "Bearer",
            "expires_in": claims.lifetime,
            "notice": NOTICE,
        }))
    }

    fn id_token(&self, claims: &Claims, now: i64) -> Result<String, Refused> {
        let body = json!({
            "iss": self.url(), "sub": claims.subject, "aud": claims.client, "iat": now,
            "exp": now + claims.lifetime, "email": claims.email, "groups": claims.groups,
        });
        self.key.sign("JWT", &body).map_err(failed)
    }
}

fn confidential(client: &Client) -> Result<(), Refused> {
    match client.secret {
        Some(_) => Ok(()),
        None => Err(refused("unauthorized_client", "a client without a secret may not do this")),
    }
}

fn failed(_: DevError) -> Refused {
    refused("server_error", "the token could not be signed")
}

pub(super) fn refused(error: &'static str, description: &'static str) -> Refused {
    Refused { error, description }
}
