-- Cell 0 holds the servers that no host could take.
INSERT INTO instances (created_at, uuid, user_id, project_id, vm_state, power_state, deleted, hostname, display_name,
    memory_mb, vcpus, root_gb, ephemeral_gb, cleaned, hidden)
  SELECT '2023-03-01 12:00:00', insert(insert(insert(insert(md5(concat('unplaced-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('user-1'), md5('project-1'), 'error', 0, 0, concat('unplaced-', seq), concat('unplaced-', seq), 512, 1, 1, 0, 0, 0
  FROM seq_1_to_7;
