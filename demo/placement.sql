-- A provider, and 120 allocations whose consumers are missing: create_incomplete_consumers has to make them.
INSERT INTO resource_providers (created_at, uuid, name, generation, root_provider_id) VALUES
  ('2023-03-01 12:00:00', 'c0000000-0000-4000-8000-000000000002', 'compute-1.example', 1, NULL);
UPDATE resource_providers SET root_provider_id = id;
INSERT INTO inventories (created_at, resource_provider_id, resource_class_id, total, reserved, min_unit, max_unit, step_size, allocation_ratio)
  SELECT '2023-03-01 12:00:00', id, 0, 640, 0, 1, 64, 1, 16 FROM resource_providers;
INSERT INTO allocations (created_at, resource_provider_id, consumer_id, resource_class_id, used)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
  SELECT '2023-03-01 12:00:00', (SELECT MIN(id) FROM resource_providers), 'd1000000-0000-4000-8000-' || (100000000000 + i), 0, 1 FROM n;
