-- The host of cell {number}, and which cell its servers are in.
INSERT INTO host_mappings (created_at, cell_id, host)
  SELECT '2023-03-01 12:00:00', id, 'compute-{number}' FROM cell_mappings WHERE name = '{name}';
INSERT INTO instance_mappings (created_at, instance_uuid, cell_id, project_id, queued_for_delete, user_id)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
  SELECT '2023-03-01 12:00:00', 'd{number}000000-0000-4000-8000-' || (100000000000 + i),
    (SELECT id FROM cell_mappings WHERE name = '{name}'), 'project-1', FALSE, 'user-1' FROM n;
