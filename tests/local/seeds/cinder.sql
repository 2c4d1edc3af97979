-- 40 volumes whose admin metadata has a temporary entry, which remove_temporary_admin_metadata takes away; one other entry stays.
INSERT INTO volumes (created_at, id, user_id, project_id, size, availability_zone, status, attach_status, deleted, display_name, volume_type_id, use_quota)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  SELECT '2025-03-01 12:00:00', 'b0000000-0000-4000-8000-' || (100000000000 + i), 'user-1', 'project-1', 1, 'nova', 'available', 'detached', FALSE,
    'volume-' || i, (SELECT MIN(id) FROM volume_types), TRUE FROM n;
INSERT INTO volume_admin_metadata (created_at, deleted, volume_id, "key", value)
  SELECT '2025-03-01 12:00:00', FALSE, id, 'temporary', 'True' FROM volumes;
INSERT INTO volume_admin_metadata (created_at, deleted, volume_id, "key", value)
  SELECT '2025-03-01 12:00:00', FALSE, MIN(id), 'readonly', 'False' FROM volumes;
