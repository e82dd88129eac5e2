-- Reads rows along an index, between two places.
--
-- ARGV     table, tenant, index, first place, place after the last, 'up' or 'down', most rows, filters, wanted columns
-- answers  {'ok', rows}, {'corrupt', why}, {'absent', table}

local BATCH = 200

return answer(function()
  local def, tenant = def_of(argument()), argument()
  local index = index_of(def, argument())
  local from, to, direction, limit = '[' .. argument(), '(' .. argument(), argument(), number()
  local filters, columns = list(read_guard), list(number)

  local key, batch, found = index_key(def, index.name), math.min(limit, BATCH), {}
  while true do
    local place
    if direction == 'up' then
      place = redis.call('ZRANGE', key, from, to, 'BYLEX', 'LIMIT', 0, batch)
    else
      place = redis.call('ZRANGE', key, to, from, 'BYLEX', 'REV', 'LIMIT', 0, batch)
    end
    for _, member in ipairs(place) do
      local row = row_of(def, tenant, id_of(member))
      if is_live(def, row) and meets(filters, row) then
        found[#found + 1] = pick(row, columns)
        if #found == limit then
          return { 'ok', found }
        end
      end
    end
    if #place < batch then
      return { 'ok', found }
    elseif direction == 'up' then
      from = '(' .. place[#place]
    else
      to = '(' .. place[#place]
    end
  end
end)
