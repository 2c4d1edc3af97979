-- 130 volumes and 15 snapshots without use_quota. 2023.1 and 2023.2 can fill it in; 2024.1 makes the column NOT NULL and
-- no longer ships that data migration.
INSERT INTO volumes (created_at, id, user_id, project_id, size, availability_zone, status, attach_status, deleted, display_name, volume_type_id, use_quota)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130)
  SELECT '2023-03-01 12:00:00', 'b0000000-0000-4000-8000-' || (100000000000 + i), 'user-1', 'project-1', 1, 'nova', 'available', 'detached', FALSE,
    'volume-' || i, (SELECT MIN(id) FROM volume_types), NULL FROM n;
INSERT INTO snapshots (created_at, id, volume_id, user_id, project_id, status, progress, volume_size, deleted, display_name, volume_type_id, use_quota)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15)
  SELECT '2023-03-01 12:00:00', 'b1000000-0000-4000-8000-' || (100000000000 + i), 'b0000000-0000-4000-8000-' || (100000000000 + i), 'user-1',
    'project-1', 'available', '100%', 1, FALSE, 'snapshot-' || i, (SELECT MIN(id) FROM volume_types), NULL FROM n;
