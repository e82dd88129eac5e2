-- Replaces the schema, unless somebody else did so since it was read, and makes and removes indexes accordingly.
--
-- ARGV     the version that was read, '' for none; the next one; indexes that go (table, name); indexes that come
--          (table, its new declaration, name); fields of the schema (name, value)
-- answers  {'ok'}, {'moved'} if the version differs, {'equal', table, index} if rows agree in a new unique index

local BATCH = 1000
local TENANT_LENGTH = 32

local function read_gone()
  return index_key({ name = argument() }, argument())
end

local function read_new()
  local name, text = argument(), argument()
  local def = decoded(name, text)
  return { def = def, index = index_of(def, argument()) }
end

local function read_field()
  return { argument(), argument() }
end

-- Makes an index beside the old ones. Rows that are expired and were not swept are in it as well.
local function build(def, index, key)
  local primary, first = index_key(def, 'id'), 0
  while true do
    local batch = redis.call('ZRANGE', primary, first, first + BATCH - 1)
    for _, member in ipairs(batch) do
      local tenant = string.sub(member, 1, TENANT_LENGTH)
      local row = row_of(def, tenant, id_of(member)) or fail('corrupt', 'an index has no row')
      local unique = index.unique and joined(row, index.columns, true)
      if unique and #under(key, tenant .. unique) > 0 then
        fail('equal', def.name, index.name)
      end
      redis.call('ZADD', key, 0, tenant .. joined(row, index.columns) .. row[0])
    end
    rows, stored = {}, {}
    if #batch < BATCH then
      return
    end
    first = first + BATCH
  end
end

local version, next_version = argument(), argument()
local gone, new, fields = list(read_gone), list(read_new), list(read_field)
local function half_made(n)
  return prefix .. 'index-in-the-making:' .. n
end

local result = answer(function()
  if (redis.call('HGET', KEYS[1], 'version') or '') ~= version then
    fail('moved')
  end
  for n, one in ipairs(new) do
    build(one.def, one.index, half_made(n))
  end
  return { 'ok' }
end)

if result[1] == 'ok' then
  redis.call('HSET', KEYS[1], 'version', next_version)
  for _, field in ipairs(fields) do
    redis.call('HSET', KEYS[1], field[1], field[2])
  end
  for _, key in ipairs(gone) do
    redis.call('DEL', key)
  end
end
for n, one in ipairs(new) do
  if result[1] == 'ok' and redis.call('EXISTS', half_made(n)) == 1 then
    redis.call('RENAME', half_made(n), index_key(one.def, one.index.name))
  end
  redis.call('DEL', half_made(n))
end
return result
