
-- Who ran what, where, and what became of it.
CREATE OR REPLACE VIEW who_did_what AS
SELECT asked_at, coalesce(email, subject) AS who, agent, on_behalf_of, target, environment,
       verdict, status, statement, "rows", affected, approver, reason, session, flow, exchange
FROM exchanges ORDER BY asked_at;

-- What policy denied, or what was refused for another reason.
CREATE OR REPLACE VIEW denied AS
SELECT asked_at, coalesce(email, subject) AS who, agent, target, environment, verdict, policies,
       reason, statement, "tables", flags, session, exchange
FROM exchanges WHERE verdict = 'deny' OR NOT forwarded ORDER BY asked_at;

-- What waited for a human, as it stands now.
CREATE OR REPLACE VIEW held AS
SELECT opened_at, settled_at, coalesce(email, subject) AS who, agent, target, environment,
       outcome, approver, comment, date_diff('millisecond', opened_at, settled_at) AS waited_ms,
       policies, statement, hold, session, exchange
FROM holds
QUALIFY row_number() OVER (PARTITION BY host, hold ORDER BY settled_at DESC NULLS LAST) = 1
ORDER BY opened_at;

-- Answers in which something was hidden.
CREATE OR REPLACE VIEW masked AS
SELECT asked_at, coalesce(email, subject) AS who, agent, target, environment, masked, statement,
       "tables", "rows", session, exchange
FROM exchanges WHERE masked <> '{}' ORDER BY asked_at;

CREATE OR REPLACE VIEW by_agent AS
SELECT agent, coalesce(email, subject) AS who, target, environment, count(*) AS exchanges,
       count(DISTINCT session) AS sessions,
       count(*) FILTER (effect IN ('write', 'schema', 'admin')) AS changes,
       count(*) FILTER (verdict = 'deny') AS denied, count(*) FILTER (verdict = 'hold') AS held,
       count(*) FILTER (masked <> '{}') AS masked, sum("rows") AS "rows",
       min(asked_at) AS first_at, max(asked_at) AS last_at
FROM exchanges GROUP BY ALL ORDER BY exchanges DESC;

CREATE OR REPLACE VIEW by_table AS
SELECT target, environment, "table", effect, verdict, count(*) AS exchanges, sum("rows") AS "rows",
       sum(affected) AS affected, count(DISTINCT coalesce(email, subject)) AS people,
       count(DISTINCT agent) AS agents, max(asked_at) AS last_at
FROM (SELECT unnest("tables") AS "table", * FROM exchanges) GROUP BY ALL ORDER BY exchanges DESC;

-- What the kernel counted beside what is recorded, and what is not known to have ended well.
CREATE OR REPLACE VIEW coverage_by_session AS
SELECT s.host, s.session, coalesce(s.email, s.subject) AS who, s.agent, s.started_at, s.ended_at,
       s.end_reason, s.counters AS kernel_counters, s.flows AS flows_recorded,
       coalesce(f.unended, 0) AS flows_unended, s.exchanges AS exchanges_recorded,
       coalesce(x.unknown, 0) AS exchanges_unknown, coalesce(e.warnings, 0) AS warnings,
       c.tier, c.violated, c.gap, c.invariants
FROM sessions s
LEFT JOIN (SELECT session, count(*) FILTER (closed_at IS NULL) AS unended
           FROM flows GROUP BY session) f USING (session)
LEFT JOIN (SELECT session, count(*) FILTER (status = 'unknown') AS unknown
           FROM exchanges GROUP BY session) x USING (session)
LEFT JOIN (SELECT session, count(*) FILTER (severity <> 'info') AS warnings
           FROM events GROUP BY session) e USING (session)
LEFT JOIN (SELECT session, arg_max(tier, "at") AS tier, max(violated) AS violated,
                  string_agg(gap, '; ' ORDER BY "at") AS gap,
                  arg_max(invariants, "at") AS invariants
           FROM coverage GROUP BY session) c USING (session)
ORDER BY s.started_at;
