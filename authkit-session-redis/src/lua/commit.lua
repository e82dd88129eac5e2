-- Carries out the ops of one commit: all, or none and an answer that names the first that failed.
--
-- ARGV     the number of ops; of each its kind, table and tenant, and what `kinds` reads below
-- answers  {'ok', what each op did}, {'guard', op}, {'duplicate', op, index}, {'corrupt', why}, {'absent', table}, {'unknown'}

local ZERO = 'i8000000000000000'

-- The sum of two integers, or nothing if it leaves 64 bits. Numbers of Lua are exact to 53 bits, so each half is added alone.
local function sum(one, other)
  local low = tonumber(string.sub(one, 10), 16) + tonumber(string.sub(other, 10), 16)
  local high = tonumber(string.sub(one, 2, 9), 16) + tonumber(string.sub(other, 2, 9), 16) - 2 ^ 31
  if low >= 2 ^ 32 then
    low, high = low - 2 ^ 32, high + 1
  end
  if high >= 0 and high < 2 ^ 32 then
    return string.format('i%08x%08x', high, low)
  end
end

local function check_number(value)
  if value == nil or string.sub(value, 1, 1) ~= 'i' then
    fail('corrupt', 'what is added to is no number')
  end
end

local function add(value, by)
  check_number(value)
  return sum(value, by) or fail('corrupt', 'a number would leave 64 bits')
end

local function copied(row)
  local copy = {}
  for column, value in pairs(row) do
    copy[column] = value
  end
  return copy
end

local function insert(op, def, tenant, row)
  make_way(op, def, tenant, row, nil)
  check_references(op, def, tenant, row, nil)
  put(def, tenant, row[0], row)
end

local function row_from(def, values)
  local row = {}
  for n, value in ipairs(values) do
    row[n - 1] = value
  end
  if #values > #def.columns then
    fail('corrupt', 'a row has more columns than its table')
  end
  return complete(def, row)
end

-- The row, live and meeting the guards.
local function require_row(op, def, tenant)
  local index, key, guards = argument(), list(argument), list(read_guard)
  local row = find(def, tenant, index, key)
  if not row or not meets(guards, row) then
    fail('guard', op)
  end
  return row
end

local function read_set()
  return { column = number(), way = argument(), value = argument() }
end

-- The later of two expiries; none at all is the latest.
local function later(one, other)
  if one == NULL or other == NULL then
    return NULL
  end
  return compare(one, other) > 0 and one or other
end

local kinds = {}

function kinds.insert(op, def, tenant)
  insert(op, def, tenant, row_from(def, list(argument)))
  return ''
end

function kinds.update(op, def, tenant)
  local old = require_row(op, def, tenant)
  local new = copied(old)
  for _, set in ipairs(list(read_set)) do
    if new[set.column] == nil then
      fail('corrupt', 'a column is not there')
    end
    new[set.column] = set.way == 'to' and set.value or add(new[set.column], set.value)
  end
  if new[0] ~= old[0] then
    fail('corrupt', 'the id of a row cannot change')
  end
  make_way(op, def, tenant, new, old[0])
  check_references(op, def, tenant, new, old)
  put(def, tenant, new[0], new)
  return ''
end

function kinds.take(op, def, tenant)
  local row, columns = require_row(op, def, tenant), list(number)
  remove(def, tenant, row[0])
  return pick(row, columns)
end

function kinds.purge(_, def, tenant)
  local index, values, guards = index_of(def, argument()), list(argument), list(read_guard)
  local start, is_partial, ids = tenant .. table.concat(values), #values < #index.columns, {}
  for _, member in ipairs(under(index_key(def, index.name), start, is_partial)) do
    local row = row_of(def, tenant, id_of(member))
    if is_live(def, row) and meets(guards, row) then
      ids[#ids + 1] = row[0]
    end
  end
  for _, id in ipairs(ids) do
    remove(def, tenant, id)
  end
  return ids
end

-- An empty `floor` or `max` is none.
function kinds.bump(op, def, tenant)
  local index, given = index_of(def, argument()), row_from(def, list(argument))
  local column, by, floor, max = number(), argument(), argument(), argument()
  local old = find(def, tenant, index.name, pick(given, index.columns))
  local new = copied(old or given)

  local count = old and old[column] or ZERO
  if floor ~= '' and compare(count, floor) < 0 then
    count = floor
  end
  check_number(count)
  count = sum(count, by)
  if not count or max ~= '' and compare(count, max) > 0 then
    fail('guard', op)
  end

  new[column] = count
  if not old then
    insert(op, def, tenant, new)
    return count
  end
  if def.expiry then
    new[def.expiry] = later(old[def.expiry], given[def.expiry])
  end
  put(def, tenant, new[0], new)
  return count
end

function kinds.ensure(op, def, tenant)
  require_row(op, def, tenant)
  return ''
end

return answer_and_land(function()
  local done = { 'ok', landed = true }
  for op = 0, number() - 1 do
    local kind, def, tenant = argument(), def_of(argument()), argument()
    done[op + 2] = kinds[kind](tostring(op), def, tenant)
  end
  return done
end)
