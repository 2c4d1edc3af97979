-- Twelve images with a property and a location each.
INSERT INTO images (id, name, size, status, created_at, deleted, disk_format, container_format, owner, min_disk, min_ram, protected, visibility, os_hidden)
  SELECT insert(insert(insert(insert(md5(concat('image-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    concat('image-', seq), 1048576 * seq, 'active', '2023-03-01 12:00:00', 0, 'qcow2', 'bare', md5('project-1'), 1, 512, 0, 'public', 0
  FROM seq_1_to_12;
INSERT INTO image_properties (image_id, name, value, created_at, deleted)
  SELECT id, 'os_distro', 'debian', '2023-03-01 12:00:00', 0 FROM images;
INSERT INTO image_locations (image_id, value, created_at, deleted, meta_data, status)
  SELECT id, concat('file:///var/lib/glance/images/', id), '2023-03-01 12:00:00', 0, '{"store": "file"}', 'active' FROM images;
