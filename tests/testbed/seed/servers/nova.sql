-- What cell number @cell, of @cells, has of @rows servers. populate_instance_compute_id, new in 2023.2, has to fill in
-- instances.compute_id for each.
INSERT INTO instances (created_at, uuid, user_id, project_id, host, node, vm_state, power_state, launched_on, availability_zone,
    deleted, hostname, display_name, memory_mb, vcpus, root_gb, ephemeral_gb, cleaned, hidden)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('server-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('user-1'), md5('project-1'), concat('compute-', @cell), concat('compute-', @cell, '.example'), 'active', 1, concat('compute-', @cell), 'nova',
    0, concat('server-', seq), concat('server-', seq), 512, 1, 1, 0, 0, 0
  FROM seq_1_to_10000000 WHERE seq <= @rows AND (seq - 1) % @cells = @cell - 1;
-- What it has of 120 migrations without a uuid: migration_uuid has to make one for each, in every release.
INSERT INTO migrations (created_at, source_compute, dest_compute, status, migration_type, instance_uuid, deleted, uuid, hidden)
  SELECT '2023-03-01 12:00:00', concat('compute-', @cell), concat('compute-', @cell, '-other'), 'confirmed', 'migration', (SELECT min(uuid) FROM instances), 0, NULL, 0
  FROM seq_1_to_120 WHERE (seq - 1) % @cells = @cell - 1;
