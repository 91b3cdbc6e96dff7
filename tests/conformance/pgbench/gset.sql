-- Results become variables, one statement's and those of several at once.
\set aid random(1, 100000 * :scale)
SELECT abalance AS before, aid AS found FROM pgbench_accounts WHERE aid = :aid \gset
\if :found != :aid
SELECT 1 / 0;
\endif
SELECT 1 AS one \; SELECT 2 AS two \aset p_
\if :p_one + :p_two != 3
SELECT 1 / 0;
\endif
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
