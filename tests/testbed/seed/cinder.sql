-- 130 volumes and 15 snapshots without use_quota. 2023.1 and 2023.2 can fill it in; 2024.1 makes the column NOT NULL
-- and no longer ships that data migration, so a step that is left out shows.
INSERT INTO volumes (created_at, id, user_id, project_id, size, availability_zone, status, attach_status, deleted, display_name, volume_type_id, use_quota)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('volume-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('user-1'), md5('project-1'), 1, 'nova', 'available', 'detached', 0, concat('volume-', seq), (SELECT min(id) FROM volume_types), NULL
  FROM seq_1_to_130;
INSERT INTO snapshots (created_at, id, volume_id, user_id, project_id, status, progress, volume_size, deleted, display_name, volume_type_id, use_quota)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('snapshot-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    insert(insert(insert(insert(md5(concat('volume-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('user-1'), md5('project-1'), 'available', '100%', 1, 0, concat('snapshot-', seq), (SELECT min(id) FROM volume_types), NULL
  FROM seq_1_to_15;
