-- Removes expired rows of all tenants.
--
-- ARGV     table, most rows
-- answers  {'ok', how many rows of the table}, {'corrupt', why}, {'absent', table}, {'unknown'}

local TIME_LENGTH, TENANT_LENGTH = 17, 32

return answer_and_land(function()
  local def, limit, removed = def_of(argument()), argument(), 0
  local key = prefix .. def.name .. ':expiry'
  for _, member in ipairs(redis.call('ZRANGE', key, '-', '(' .. now .. PAST, 'BYLEX', 'LIMIT', 0, limit)) do
    local tenant, id = string.sub(member, TIME_LENGTH + 1, TIME_LENGTH + TENANT_LENGTH), id_of(member)
    -- It may have gone along with one before it.
    if row_of(def, tenant, id) then
      remove(def, tenant, id)
      removed = removed + 1
    end
  end
  return { 'ok', tostring(removed), landed = true }
end)
