-- What every script begins with: arguments, values, tables and rows.
--
-- KEYS[1]  the hash of the schema
-- ARGV     the prefix of all other keys; the time of the call, as a value; then what the script itself names
--
-- A value is text that begins with its kind and sorts as the value does (src/encoding.rs): '-' is NULL, 'i' and 't' have
-- 16 hexadecimal digits, 'u' has 32. A tenant is 32 hexadecimal digits. A row is a hash of values by the column's position.
-- An index is a sorted set of scores 0; a member is the tenant, the values of the index's columns, and the id.

local NULL = '-'
local ID_LENGTH = 33
local PAST = '\255' -- above everything that goes on after a value

local at = 0
local function argument()
  at = at + 1
  return ARGV[at]
end

local function number()
  return tonumber(argument())
end

local function list(read)
  local items = {}
  for n = 1, number() do
    items[n] = read()
  end
  return items
end

local prefix = argument()
local now = argument()

-- Ends the script with an answer that says what went wrong.
local function fail(...)
  error({ ... }, 0)
end

-- Below 0, 0 or above 0. Lua's own `<` would ask the locale of the server.
local function compare(one, other)
  for n = 1, math.min(#one, #other) do
    local difference = string.byte(one, n) - string.byte(other, n)
    if difference ~= 0 then
      return difference
    end
  end
  return #one - #other
end

-- A declaration, as it stands in the schema: JSON, in which a default is in hexadecimal digits.
local function decoded(name, text)
  local def = cjson.decode(text)
  def.name = name
  for _, column in ipairs(def.columns) do
    column.default = column.default and string.gsub(column.default, '%x%x', function(pair)
      return string.char(tonumber(pair, 16))
    end)
  end
  return def
end

local defs = {}
local function def_of(name)
  local def = defs[name]
  if not def then
    local text = redis.call('HGET', KEYS[1], 'table:' .. name)
    if not text then
      fail('absent', name)
    end
    def = decoded(name, text)
    defs[name] = def
  end
  return def
end

local function index_key(def, name)
  return prefix .. def.name .. ':index:' .. name
end

local function index_of(def, name)
  for _, index in ipairs(def.indexes) do
    if index.name == name then
      return index
    end
  end
  fail('corrupt', 'an index is not there')
end

-- The values of some columns, one after the other; nothing if one of them is NULL and `whole` is asked for.
local function joined(row, columns, whole)
  local values = {}
  for n, column in ipairs(columns) do
    if whole and row[column] == NULL then
      return nil
    end
    values[n] = row[column]
  end
  return table.concat(values)
end

local function id_of(member)
  return string.sub(member, -ID_LENGTH)
end

-- Adds the defaults of the columns that a row does not have yet.
local function complete(def, row)
  for n, column in ipairs(def.columns) do
    row[n - 1] = row[n - 1] or column.default or NULL
  end
  return row
end

-- What the ops so far made of rows, by key, and of indexes, by key and member; false is what they removed.
-- A row that is in here is never changed in place, so `stored` says what Redis holds.
-- `added` has the members that are true in `members`, by key and by what stands before the id.
local rows, stored, members, added = {}, {}, {}, {}

local function row_key(def, tenant, id)
  return prefix .. def.name .. ':row:' .. tenant .. id
end

local function row_of(def, tenant, id)
  local key = row_key(def, tenant, id)
  if rows[key] == nil then
    local fields, row = redis.call('HGETALL', key), {}
    for n = 1, #fields, 2 do
      row[tonumber(fields[n])] = fields[n + 1]
    end
    rows[key] = #fields > 0 and complete(def, row)
    stored[key] = rows[key]
  end
  return rows[key]
end

-- Whether a row is there and not past its expiry.
local function is_live(def, row)
  local expiry = row and def.expiry and row[def.expiry]
  return row and not (expiry and expiry ~= NULL and compare(expiry, now) <= 0)
end

-- The members of an index that begin so. `start` has all columns of the index, unless `is_partial`.
local function under(key, start, is_partial)
  local found, changed, new = {}, members[key] or {}, added[key] or {}
  for _, member in ipairs(redis.call('ZRANGE', key, '[' .. start, '(' .. start .. PAST, 'BYLEX')) do
    if changed[member] == nil then
      found[#found + 1] = member
    end
  end
  if not is_partial then
    for member in pairs(new[start] or {}) do
      found[#found + 1] = member
    end
    return found
  end
  for begun, those in pairs(new) do
    for member in pairs(string.sub(begun, 1, #start) == start and those or {}) do
      found[#found + 1] = member
    end
  end
  return found
end

-- The live row of a unique key.
local function find(def, tenant, name, key)
  if name == 'id' then
    local row = row_of(def, tenant, key[1])
    return is_live(def, row) and row
  end
  index_of(def, name)
  for _, member in ipairs(under(index_key(def, name), tenant .. table.concat(key))) do
    local row = row_of(def, tenant, id_of(member))
    if is_live(def, row) then
      return row
    end
  end
  return false
end

local function read_guard()
  return { column = number(), comparison = argument(), value = argument() }
end

local function holds(guard, row)
  local value = row[guard.column]
  if value == nil then
    return false
  elseif guard.comparison == 'eq' then
    return value == guard.value
  elseif guard.comparison == 'ne' then
    return value ~= guard.value
  elseif value == NULL or guard.value == NULL then
    return false
  end
  local difference = compare(value, guard.value)
  if guard.comparison == 'lt' then
    return difference < 0
  elseif guard.comparison == 'le' then
    return difference <= 0
  elseif guard.comparison == 'gt' then
    return difference > 0
  end
  return difference >= 0
end

local function meets(guards, row)
  for _, guard in ipairs(guards) do
    if not holds(guard, row) then
      return false
    end
  end
  return true
end

local function pick(row, columns)
  local values = {}
  for n, column in ipairs(columns) do
    values[n] = row[column] or fail('corrupt', 'a column is not there')
  end
  return values
end

-- What `fail` was called with is an answer; anything else is an error.
local function answer(main)
  local ok, result = pcall(main)
  if ok or type(result) == 'table' then
    return result
  end
  return redis.error_reply('ERR ' .. tostring(result))
end
