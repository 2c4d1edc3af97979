-- Three networks with a segment and a subnet each, and thirty ports with addresses on the first one.
INSERT INTO standardattributes (id, resource_type, created_at, updated_at, description)
  SELECT seq, 'networks', '2023-03-01 12:00:00', '2023-03-01 12:00:00', '' FROM seq_1_to_3;
INSERT INTO standardattributes (id, resource_type, created_at, updated_at, description)
  SELECT 10 + seq, 'networksegments', '2023-03-01 12:00:00', '2023-03-01 12:00:00', '' FROM seq_1_to_3;
INSERT INTO standardattributes (id, resource_type, created_at, updated_at, description)
  SELECT 20 + seq, 'subnets', '2023-03-01 12:00:00', '2023-03-01 12:00:00', '' FROM seq_1_to_3;
INSERT INTO standardattributes (id, resource_type, created_at, updated_at, description)
  SELECT 100 + seq, 'ports', '2023-03-01 12:00:00', '2023-03-01 12:00:00', '' FROM seq_1_to_30;
INSERT INTO networks (id, project_id, name, status, admin_state_up, standard_attr_id)
  SELECT insert(insert(insert(insert(md5(concat('network-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('project-1'), concat('network-', seq), 'ACTIVE', 1, seq FROM seq_1_to_3;
INSERT INTO networksegments (id, network_id, network_type, physical_network, segmentation_id, standard_attr_id)
  SELECT insert(insert(insert(insert(md5(concat('segment-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    (SELECT id FROM networks WHERE name = concat('network-', seq)), 'vlan', 'physnet1', 100 + seq, 10 + seq FROM seq_1_to_3;
INSERT INTO subnets (id, project_id, name, network_id, ip_version, cidr, gateway_ip, enable_dhcp, standard_attr_id)
  SELECT insert(insert(insert(insert(md5(concat('subnet-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('project-1'), concat('subnet-', seq), (SELECT id FROM networks WHERE name = concat('network-', seq)), 4,
    concat('192.0.', seq, '.0/24'), concat('192.0.', seq, '.1'), 1, 20 + seq FROM seq_1_to_3;
INSERT INTO ports (id, project_id, name, network_id, mac_address, admin_state_up, status, device_id, device_owner, standard_attr_id)
  SELECT insert(insert(insert(insert(md5(concat('port-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'),
    md5('project-1'), concat('port-', seq), (SELECT id FROM networks WHERE name = 'network-1'),
    concat('fa:16:3e:00:00:', lpad(hex(seq), 2, '0')), 1, 'ACTIVE',
    insert(insert(insert(insert(md5(concat('server-', seq)), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'), 'compute:nova', 100 + seq
  FROM seq_1_to_30;
INSERT INTO ml2_port_bindings (port_id, host, vif_type) SELECT id, 'compute-1', 'ovs' FROM ports;
INSERT INTO ipallocations (port_id, ip_address, subnet_id, network_id)
  SELECT (SELECT id FROM ports WHERE name = concat('port-', seq)), concat('192.0.1.', 10 + seq),
    (SELECT id FROM subnets WHERE name = 'subnet-1'), (SELECT id FROM networks WHERE name = 'network-1') FROM seq_1_to_30;
INSERT INTO quotas (id, project_id, resource, `limit`) VALUES (md5('quota'), md5('project-1'), 'port', 500);
