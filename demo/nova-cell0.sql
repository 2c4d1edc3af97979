-- Cell 0 holds the servers that no host could take. They have no compute node, so nothing can be filled in for them.
INSERT INTO instances (created_at, uuid, user_id, project_id, vm_state, power_state, deleted, hostname, display_name, memory_mb, vcpus, root_gb,
    ephemeral_gb, cleaned, hidden)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 7)
  SELECT '2023-03-01 12:00:00', 'd0000000-0000-4000-8000-' || (100000000000 + i), 'user-1', 'project-1', 'error', 0, 0, 'unplaced-' || i,
    'unplaced-' || i, 512, 1, 1, 0, 0, FALSE FROM n;
-- nova's own marker instances belong to it. nova would make it in a second transaction beside the first, which an SQLite
-- file does not let it.
INSERT INTO security_groups (created_at, deleted, name, description, user_id, project_id) VALUES
  ('2023-03-01 12:00:00', 0, 'default', 'default', NULL, NULL);
