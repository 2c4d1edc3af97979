-- 25 nodes as an older release wrote them, which update_to_latest_versions brings up to date, five of them inspected by what
-- is gone; three runbooks, of whose names migrate_runbook_names_to_traits (2026.2) makes traits.
INSERT INTO nodes (created_at, version, uuid, name, driver, provision_state, inspect_interface, conductor_group, protected, properties, extra)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25)
  SELECT '2025-03-01 12:00:00', '1.36', 'f0000000-0000-4000-8000-' || (100000000000 + i), 'node-' || i, 'ipmi', 'available',
    CASE WHEN i <= 5 THEN 'inspector' ELSE 'no-inspect' END, '', FALSE, '{}', '{}' FROM n;
INSERT INTO runbooks (created_at, version, uuid, name, public, disable_ramdisk, extra)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)
  SELECT '2025-03-01 12:00:00', '1.0', 'f1000000-0000-4000-8000-' || (100000000000 + i), 'CUSTOM_RUNBOOK_' || i, TRUE, FALSE, '{}' FROM n;
