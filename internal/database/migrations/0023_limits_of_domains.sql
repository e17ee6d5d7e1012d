-- The limits of an instance beside each of its domains, which every request asks
-- for: '' where there are none.

ALTER TABLE instance_domains ADD COLUMN limits TEXT NOT NULL DEFAULT '';

UPDATE instance_domains SET limits = COALESCE((SELECT p.document FROM policies p
  WHERE p.instance_id = instance_domains.instance_id AND p.org_id = '' AND p.kind = 'limits'), '');
