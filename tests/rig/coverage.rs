//! The completeness ledger, looked at when a gateway stops, in every test: each count agrees, or the
//! test fails.

use crate::Gateway;

impl Gateway {
    /// What `weir audit report coverage` says.
    pub fn coverage(&self) -> serde_json::Value {
        let record = self.record.display().to_string();
        let arguments = ["audit", "report", "coverage", "--json", "--record", &record];
        let output = self.weir(&arguments).output().expect("weir audit report coverage");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{errors}"))
    }

    /// Panics where the ledger does not add up, or does not speak of a session. A gateway that was
    /// killed leaves sessions of which the next life has to say what is not known.
    pub(crate) fn check_coverage(&self) {
        let report = self.coverage();
        assert_eq!(report["well"], true, "{report:#}\n{}", self.log());
        let sessions = report["sessions"].as_array().expect("sessions");
        for session in sessions {
            let state = session["state"].as_str().expect("a state");
            let told = match state {
                "covered" => true,
                "open" => self.outlived(session),
                "unknown" => self.may_be_unknown(),
                _ => false,
            };
            assert!(told, "{session:#}\n{report:#}\n{}", self.log());
        }
        if self.was_killed() && self.has_restarted() {
            let gaps = report["gaps"].as_array().expect("gaps");
            assert!(!gaps.is_empty(), "a life that was killed leaves a gap: {report:#}");
        }
    }

    /// A session whose processes outlive the gateway is looked at for the last time when it stops.
    fn outlived(&self, session: &serde_json::Value) -> bool {
        let open = session["findings"].as_object().is_none_or(|findings| findings.is_empty());
        open || self.may_be_unknown()
    }

    /// Where a gateway was killed, where two served, and in explicit mode, where the kernel counts nothing.
    fn may_be_unknown(&self) -> bool {
        let explicit = std::fs::read_to_string(self.config()).unwrap_or_default();
        self.was_killed() || self.was_replaced() || explicit.contains("mode = \"explicit\"")
    }
}
