-- Which cell each server is in; complete, so no data migration has to touch them.
INSERT INTO instance_mappings (created_at, instance_uuid, cell_id, project_id, queued_for_delete, user_id)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('server-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    (SELECT id FROM cell_mappings WHERE name = concat('cell', (seq - 1) % @cells + 1)), md5('project-1'), 0, md5('user-1')
  FROM seq_1_to_10000000 WHERE seq <= @rows;
INSERT INTO instance_mappings (created_at, instance_uuid, cell_id, project_id, queued_for_delete, user_id)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('unplaced-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    (SELECT id FROM cell_mappings WHERE name = 'cell0'), md5('project-1'), 0, md5('user-1')
  FROM seq_1_to_7;
