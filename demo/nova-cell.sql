-- A compute host with 150 servers. populate_instance_compute_id, new in 2023.2, has to fill in compute_id for each.
INSERT INTO services (created_at, host, "binary", topic, report_count, disabled, deleted, version, uuid) VALUES
  ('2023-03-01 12:00:00', 'compute-{number}', 'nova-compute', 'compute', 10, FALSE, 0, 66, 'e{number}000000-0000-4000-8000-000000000001');
INSERT INTO compute_nodes (created_at, service_id, host, hypervisor_hostname, vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used,
    hypervisor_type, hypervisor_version, cpu_info, deleted, uuid, mapped)
  SELECT '2023-03-01 12:00:00', id, 'compute-{number}', 'compute-{number}.example', 64, 262144, 4000, 0, 0, 0, 'QEMU', 6002000, '{}', 0,
    'e{number}000000-0000-4000-8000-000000000002', 1 FROM services;
INSERT INTO instances (created_at, uuid, user_id, project_id, host, node, vm_state, power_state, launched_on, availability_zone, deleted, hostname,
    display_name, memory_mb, vcpus, root_gb, ephemeral_gb, cleaned, hidden)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
  SELECT '2023-03-01 12:00:00', 'd{number}000000-0000-4000-8000-' || (100000000000 + i), 'user-1', 'project-1', 'compute-{number}',
    'compute-{number}.example', 'active', 1, 'compute-{number}', 'nova', 0, 'server-' || i, 'server-' || i, 512, 1, 1, 0, 0, FALSE FROM n;
-- 30 migrations without a uuid: migration_migrate_to_uuid has to make one for each.
INSERT INTO migrations (created_at, source_compute, dest_compute, status, migration_type, instance_uuid, deleted, uuid, hidden)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
  SELECT '2023-03-01 12:00:00', 'compute-{number}', 'compute-{number}-other', 'confirmed', 'migration', (SELECT MIN(uuid) FROM instances), 0, NULL, FALSE
  FROM n;
-- nova's own marker instances belong to it. nova would make it in a second transaction beside the first, which an SQLite
-- file does not let it.
INSERT INTO security_groups (created_at, deleted, name, description, user_id, project_id) VALUES
  ('2023-03-01 12:00:00', 0, 'default', 'default', NULL, NULL);
