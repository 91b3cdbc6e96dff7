//! The issuer's HTTP server: which path does what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::device::{self, user_code};
use super::grant::{Form, Refused, refused};
use super::{DevError, DevIssuer, NOTICE, now_seconds, page, random_text};

const CONNECTIONS: usize = 64;
const REQUEST_BYTES: usize = 64 << 10;
const PATIENCE: Duration = Duration::from_secs(30);
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// Serves an issuer until `stop` is ready. The listener must be on a loopback address.
pub async fn serve(
    listener: TcpListener,
    issuer: Arc<DevIssuer>,
    stop: impl Future<Output = ()>,
) -> Result<(), DevError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(DevError::NotLoopback(address));
    }
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => return Ok(()),
            next = next => next,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let issuer = Arc::clone(&issuer);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(move |request| {
                let issuer = Arc::clone(&issuer);
                async move { Ok::<_, Infallible>(issuer.route(request).await) }
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(PATIENCE, serving).await;
        });
    }
}

impl DevIssuer {
    async fn route(&self, request: Request<Incoming>) -> Answer {
        // A page of another site must not reach it by a name that resolves to this host.
        if !self.is_own_host(request.headers()) {
            return text(StatusCode::MISDIRECTED_REQUEST, "this is not the issuer's name");
        }
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        match (&head.method, path.as_str()) {
            (&Method::GET, "/.well-known/openid-configuration") => json_answer(&self.discovery()),
            (&Method::GET, "/jwks") => json_answer(&self.key.jwks()),
            (&Method::GET, "/device") => self.show_device(head.uri.query().unwrap_or_default()),
            (&Method::GET, "/") => html(StatusCode::OK, page::say("Weir dev issuer", NOTICE)),
            (&Method::POST, "/device" | "/token" | "/device_authorization") => {
                match form(&head.headers, body).await {
                    Ok(form) => self.post(&path, &head.headers, &form),
                    Err(refused) => refusal(&refused),
                }
            }
            _ => text(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    fn post(&self, path: &str, headers: &HeaderMap, form: &Form) -> Answer {
        let done = match path {
            "/device" => return self.confirm_device(headers, form),
            "/token" => self.grant(form, basic(headers), now_seconds()),
            _ => self.authorize_device(form, basic(headers)),
        };
        match done {
            Ok(answer) => json_answer(&answer),
            Err(refused) => refusal(&refused),
        }
    }

    fn discovery(&self) -> Value {
        let url = self.url();
        json!({
            "issuer": url,
            "jwks_uri": format!("{url}/jwks"),
            "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device_authorization"),
            "grant_types_supported": [
                "urn:ietf:params:oauth:grant-type:device_code",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported":
                ["none", "client_secret_basic", "client_secret_post"],
            "scopes_supported": ["openid", "email", "groups"],
            "claims_supported": ["sub", "email", "groups", "act"],
            "notice": NOTICE,
        })
    }

    fn authorize_device(
        &self,
        form: &Form,
        basic: Option<(String, String)>,
    ) -> Result<Value, Refused> {
        let client = self.client(form, basic)?;
        let failed = |_| refused("server_error", "the system gave no randomness");
        let device_code = random_text::<32>().map_err(failed)?;
        let mut random = [0u8; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| failed(DevError::Random))?;
        let code = user_code(random);
        let scope = form.get("scope").map_or("", String::as_str);
        let interval = self.people().interval;
        self.devices()
            .start(device_code.clone(), code.clone(), &client.id, scope, interval, now_seconds())
            .ok_or(refused("temporarily_unavailable", "too many logins wait"))?;
        let page = format!("{}/device", self.url());
        Ok(json!({
            "device_code": device_code,
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={code}"),
            "expires_in": device::LIFETIME,
            "interval": interval,
            "notice": NOTICE,
        }))
    }

    fn show_device(&self, query: &str) -> Answer {
        let form = decode(query.as_bytes());
        let code = form.get("user_code").map_or("", String::as_str);
        let devices = self.devices();
        let page = page::form(self.people(), code, devices.client_of(code, now_seconds()));
        html(StatusCode::OK, page)
    }

    fn confirm_device(&self, headers: &HeaderMap, form: &Form) -> Answer {
        let say = |status, title, what| html(status, page::say(title, what));
        // A browser says where a form came from; a form of another site is not the user's.
        if headers.get(header::ORIGIN).is_some_and(|origin| origin != self.url()) {
            return say(StatusCode::FORBIDDEN, "Refused", "This form came from another site.");
        }
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let user = match field("action") {
            "approve" => match self.people().user(field("user")) {
                Some(user) => Some(user.name.as_str()),
                None => return say(StatusCode::BAD_REQUEST, "Refused", "There is no such user."),
            },
            "deny" => None,
            _ => return say(StatusCode::BAD_REQUEST, "Refused", "The form is incomplete."),
        };
        if !self.devices().answer(field("user_code"), user, now_seconds()) {
            return say(StatusCode::BAD_REQUEST, "Unknown code", "No login waits for this code.");
        }
        match user {
            Some(user) => {
                html(StatusCode::OK, page::say("Confirmed", &format!("Logged in as {user}.")))
            }
            None => say(StatusCode::OK, "Refused", "The login was refused."),
        }
    }

    fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let own = self.url().strip_prefix("http://").unwrap_or_default();
        headers.get(header::HOST).is_some_and(|host| host == own)
    }
}

async fn form(headers: &HeaderMap, body: Incoming) -> Result<Form, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(refused("invalid_request", "the body is not a form"));
    }
    let body = Limited::new(body, REQUEST_BYTES).collect().await;
    let body = body.map_err(|_| refused("invalid_request", "the form is too long or cut"))?;
    Ok(decode(&body.to_bytes()))
}

fn decode(bytes: &[u8]) -> Form {
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// The user and password of HTTP basic authentication, as RFC 6749 encodes them.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |part: &str| {
        let pair = format!("v={part}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}

fn refusal(refused: &Refused) -> Answer {
    let status = match refused.error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({"error": refused.error, "error_description": refused.description});
    answer(status, JSON, body.to_string())
}

fn json_answer(body: &Value) -> Answer {
    answer(StatusCode::OK, JSON, body.to_string())
}

fn html(status: StatusCode, body: String) -> Answer {
    answer(status, HTML, body)
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    answer(status, "text/plain", body.to_owned())
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Answer {
    const SAFE: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                        form-action 'self'; base-uri 'none'";
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, SAFE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-weir-notice"), NOTICE),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    answer
}
