-- The compute host of cell number @cell. The servers on it are inserted when a cloud is made, because their number can be
-- chosen.
INSERT INTO services (created_at, host, `binary`, topic, report_count, disabled, deleted, version, uuid) VALUES
  ('2023-03-01 12:00:00', concat('compute-', @cell), 'nova-compute', 'compute', 10, 0, 0, 66, concat('c0000000-0000-4000-8000-', lpad(2 * @cell - 1, 12, '0')));
INSERT INTO compute_nodes (created_at, service_id, host, hypervisor_hostname, vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used,
    local_gb_used, hypervisor_type, hypervisor_version, cpu_info, deleted, uuid, mapped)
  SELECT '2023-03-01 12:00:00', id, concat('compute-', @cell), concat('compute-', @cell, '.example'), 64, 262144, 4000, 0, 0, 0, 'QEMU', 6002000, '{}', 0,
    concat('c0000000-0000-4000-8000-', lpad(2 * @cell, 12, '0')), 1 FROM services;
