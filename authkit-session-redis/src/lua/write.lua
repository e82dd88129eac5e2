-- Writing rows with their index entries. Nothing reaches Redis before `land`, so a script that fails leaves no trace.

-- Adds or removes a member of an index: what stands before the id, and the id. What is undone leaves nothing to do.
local function stage(key, start, id, is_added)
  local member, changed, new = start .. id, members[key] or {}, added[key] or {}
  members[key], added[key] = changed, new
  if changed[member] == not is_added then
    changed[member] = nil
  else
    changed[member] = is_added
  end
  new[start] = new[start] or {}
  new[start][member] = changed[member] or nil
end

local function stage_entries(def, tenant, row, is_added)
  for _, index in ipairs(def.indexes) do
    stage(index_key(def, index.name), tenant .. joined(row, index.columns), row[0], is_added)
  end
  if def.expiry and row[def.expiry] ~= NULL then
    stage(prefix .. def.name .. ':expiry', row[def.expiry] .. tenant, row[0], is_added)
  end
end

-- Puts a row, or removes it if `new` is false. The only way rows change.
local function put(def, tenant, id, new)
  local old = row_of(def, tenant, id)
  if old then
    stage_entries(def, tenant, old, false)
  end
  if new then
    stage_entries(def, tenant, new, true)
  end
  rows[row_key(def, tenant, id)] = new
end

-- Removes a row, the rows that refer to it, those that refer to these, and so on.
local function remove(def, tenant, id)
  local doomed = { { def, id } }
  while #doomed > 0 do
    local parent, of = unpack(table.remove(doomed))
    put(parent, tenant, of, false)
    for _, child in ipairs(parent.children) do
      local referring = def_of(child.table)
      for _, member in ipairs(under(index_key(referring, child.index), tenant .. of)) do
        doomed[#doomed + 1] = { referring, id_of(member) }
      end
    end
  end
end

-- Refuses a row whose unique keys another row has; expired rows that have them are removed.
-- `own` is the id of the row that is changed, if there is one.
local function make_way(op, def, tenant, row, own)
  for _, index in ipairs(def.indexes) do
    local key = index.unique and joined(row, index.columns, true)
    for _, member in ipairs(key and under(index_key(def, index.name), tenant .. key) or {}) do
      local holder = id_of(member)
      if holder ~= own then
        if is_live(def, row_of(def, tenant, holder)) then
          fail('duplicate', op, index.name)
        end
        remove(def, tenant, holder)
      end
    end
  end
end

-- Demands that the rows referred to are there, where the reference is new.
local function check_references(op, def, tenant, row, old)
  for _, reference in ipairs(def.parents) do
    local parent = row[reference.column]
    local is_new = parent ~= NULL and not (old and old[reference.column] == parent)
    if is_new and not (reference.table == def.name and parent == row[0]) then
      local other = def_of(reference.table)
      if not is_live(other, row_of(other, tenant, parent)) then
        fail('guard', op)
      end
    end
  end
end

-- Writes everything that was staged.
local function land()
  for key, row in pairs(rows) do
    local old = stored[key]
    if row and row ~= old then
      local fields = {}
      for column = 0, #row do
        if not old or old[column] ~= row[column] then
          fields[#fields + 1] = column
          fields[#fields + 1] = row[column]
        end
      end
      if #fields > 0 then
        redis.call('HSET', key, unpack(fields))
      end
    elseif old and not row then
      redis.call('DEL', key)
    end
  end
  for key, changed in pairs(members) do
    for member, is_added in pairs(changed) do
      if is_added then
        redis.call('ZADD', key, 0, member)
      else
        redis.call('ZREM', key, member)
      end
    end
  end
end

-- Lands what `main` staged, unless it failed. Should Redis refuse one of the writes, some may have been made.
local function answer_and_land(main)
  local result = answer(main)
  if result.landed and not pcall(land) then
    return { 'unknown' }
  end
  return result
end
