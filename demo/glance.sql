-- Twelve images with a property and a location each.
INSERT INTO images (id, name, size, status, created_at, deleted, disk_format, container_format, owner, min_disk, min_ram, protected, visibility, os_hidden)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
  SELECT 'a0000000-0000-4000-8000-' || (100000000000 + i), 'image-' || i, 1048576 * i, 'active', '2023-03-01 12:00:00', FALSE, 'qcow2', 'bare',
    'project-1', 1, 512, FALSE, 'public', FALSE FROM n;
INSERT INTO image_properties (image_id, name, value, created_at, deleted)
  SELECT id, 'os_distro', 'debian', '2023-03-01 12:00:00', FALSE FROM images;
INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status)
  SELECT id, 'file:///var/lib/glance/images/' || id, '2023-03-01 12:00:00', FALSE, '{"store": "file"}', 'active' FROM images;
