//! Secrets that tell themselves by what they begin with: one table of vendors' keys and tokens.
//!
//! Marks, alphabets and lengths are those of the vendors' documentation and of gitleaks' rules
//! (gitleaks 8, `config/gitleaks.toml`). Where a vendor gives no length, the least one is below the
//! shortest ever seen: what has such a mark is hidden rather than not.

use crate::detector::jwt::is_base64url;
use crate::detector::{Detector, Finding, is_word, run, starts_word};

/// A kind of secret: one of its marks, then `least` to `most` bytes of a class.
pub(crate) struct Token {
    name: &'static str,
    pub(crate) marks: &'static [&'static str],
    pub(crate) class: fn(u8) -> bool,
    pub(crate) least: usize,
    most: usize,
}

/// So many bytes or more.
const fn from(
    least: usize,
    class: fn(u8) -> bool,
    name: &'static str,
    marks: &'static [&'static str],
) -> Token {
    Token { name, marks, class, least, most: usize::MAX }
}

/// Exactly so many bytes, for marks that are part of words: of a class that has no other bytes
/// than those of words.
const fn just(
    length: usize,
    class: fn(u8) -> bool,
    name: &'static str,
    marks: &'static [&'static str],
) -> Token {
    Token { name, marks, class, least: length, most: length }
}

/// The order is that of `DETECTORS`.
pub(crate) static TABLE: [Token; 51] = [
    // Code, packages and what builds them.
    from(36, is_word, "github_token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"]),
    from(
        20,
        dotted,
        "gitlab_token",
        &[
            "glpat-",
            "gldt-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glimt-",
            "glagent-",
            "gloas-",
            "glsoat-",
            "glffct-",
            "GR1348941",
        ],
    ),
    from(24, is_base64url, "atlassian_token", &["ATATT3", "ATCTT3", "ATBB"]),
    from(30, is_word, "npm_token", &["npm_"]),
    from(50, is_base64url, "pypi_token", &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZ"]),
    from(48, hex, "rubygems_key", &["rubygems_"]),
    just(32, alphanumeric, "crates_io_token", &["cio"]),
    from(20, is_base64url, "docker_token", &["dckr_pat_", "dckr_oat_"]),
    from(40, alphanumeric, "circleci_token", &["CCIPAT_", "CCIPRJ_"]),
    from(32, alphanumeric, "buildkite_token", &["bkua_"]),
    from(40, hex, "sonarqube_token", &["squ_", "sqp_", "sqa_"]),
    from(20, is_base64url, "postman_key", &["PMAK-"]),
    from(32, alphanumeric, "linear_key", &["lin_api_", "lin_oauth_"]),
    from(40, alphanumeric, "notion_token", &["ntn_"]),
    from(36, is_base64url, "figma_token", &["figd_", "figo_"]),
    // Clouds and infrastructure.
    from(35, is_base64url, "google_api_key", &["AIza"]),
    from(24, is_base64url, "google_oauth", &["GOCSPX-", "ya29."]),
    from(80, base64, "azure_storage_key", &["AccountKey="]),
    from(40, base64, "azure_shared_access_key", &["SharedAccessKey="]),
    from(24, dotted, "vault_token", &["hvs.", "hvb.", "hvr."]),
    from(
        40,
        alphanumeric,
        "doppler_token",
        &["dp.pt.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
    ),
    from(64, hex, "digitalocean_token", &["dop_v1_", "doo_v1_", "dor_v1_"]),
    from(43, base64, "fly_token", &["fo1_", "fm1r_", "fm1a_", "fm2_"]),
    from(36, is_base64url, "heroku_key", &["HRKU-"]),
    from(36, is_base64url, "netlify_token", &["nfp_"]),
    from(170, hex_dashed, "cloudflare_origin_key", &["v1.0-"]),
    from(40, hex, "pulumi_token", &["pul-"]),
    from(16, is_base64url, "tailscale_key", &["tskey-auth-", "tskey-api-", "tskey-client-"]),
    from(250, base64, "onepassword_token", &["ops_eyJ"]),
    from(
        40,
        base64,
        "encoded_private_key",
        &[
            // "-----BEGIN " and what makes a label end in "PRIVATE KEY", in base 64.
            "LS0tLS1CRUdJTiBQUklWQVRF",
            "LS0tLS1CRUdJTiBSU0EgUFJJVkFURS",
            "LS0tLS1CRUdJTiBFQyBQUklWQVRF",
            "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVE",
            "LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFUR",
        ],
    ),
    from(100, base58, "wallet_key", &["xprv9", "yprv", "zprv", "tprv8"]),
    // Databases, and what is kept in them.
    from(32, dotted, "planetscale_token", &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"]),
    just(32, hex, "databricks_token", &["dapi"]),
    from(40, hex, "supabase_token", &["sbp_"]),
    from(
        25,
        crypt,
        "password_hash",
        &[
            // crypt(5), the PHC string format, Django, Werkzeug, RFC 5803 and RFC 2307.
            "$1$",
            "$5$",
            "$6$",
            "$7$",
            "$y$",
            "$2a$",
            "$2b$",
            "$2x$",
            "$2y$",
            "$apr1$",
            "$argon2",
            "$scrypt$",
            "$pbkdf2",
            "pbkdf2_sha",
            "pbkdf2:sha",
            "scrypt:32768:",
            "SCRAM-SHA-",
            "{SSHA",
        ],
    ),
    just(32, lower_hex, "postgres_md5", &["md5"]),
    // Machines that talk.
    from(40, is_base64url, "anthropic_key", &["sk-ant-"]),
    from(40, hex, "openrouter_key", &["sk-or-v1-"]),
    just(34, alphabetic, "huggingface_token", &["hf_", "api_org_"]),
    from(40, alphanumeric, "groq_key", &["gsk_"]),
    from(60, alphanumeric, "xai_key", &["xai-"]),
    from(40, alphanumeric, "perplexity_key", &["pplx-"]),
    // Mail, chat, shops and money.
    from(
        20,
        dashed,
        "slack_token",
        &["xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
    ),
    from(60, dotted, "sendgrid_key", &["SG."]),
    just(32, lower_hex, "twilio_key", &["SK"]),
    just(32, lower_hex, "mailgun_key", &["key-"]),
    from(32, hex, "shopify_token", &["shpat_", "shpca_", "shppa_", "shpss_"]),
    from(22, is_base64url, "square_token", &["sq0atp-", "sq0csp-"]),
    from(
        16,
        alphanumeric,
        "stripe_key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
    ),
    // What watches.
    from(32, sentry, "sentry_token", &["sntrys_", "sntryu_"]),
    from(32, sentry, "grafana_token", &["glsa_", "glc_"]),
];

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn alphabetic(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn hex_dashed(byte: u8) -> bool {
    lower_hex(byte) || byte == b'-'
}

fn dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    is_base64url(byte) || byte == b'.'
}

fn base58(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !b"0OIl".contains(&byte)
}

fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

fn sentry(byte: u8) -> bool {
    base64(byte) || byte == b'_'
}

fn crypt(byte: u8) -> bool {
    base64(byte) || b"$.,:-_}".contains(&byte)
}

impl Detector for Token {
    fn name(&self) -> &'static str {
        self.name
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        for mark in self.marks {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(mark)) {
                let start = from + at;
                let body = start + mark.len();
                from = body;
                if !starts_word(bytes, start) {
                    continue;
                }
                let length = run(bytes, body, self.class);
                from = body + length;
                // What ends a sentence or a clause is in some classes, and no token's last.
                let ends = |b: &&u8| b".,:".contains(b);
                let length = length - bytes[body..from].iter().rev().take_while(ends).count();
                if (self.least..=self.most).contains(&length) {
                    findings.push(Finding { start, end: body + length });
                }
            }
        }
    }
}

impl Token {
    /// Whether a token's body may begin at `body`, for the prefilter: in JSON, escapes of slashes
    /// may stand in it.
    pub(crate) fn suspect(&self, bytes: &[u8], body: usize) -> bool {
        let least = bytes.get(body..body + self.least);
        least.is_some_and(|least| least.iter().all(|b| (self.class)(*b) || *b == b'\\'))
    }
}
