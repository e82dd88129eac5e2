-- Reads one row by a unique key, with the row that it refers to if that was asked for.
--
-- ARGV     table, tenant, index, key, wanted columns; then 0, or 1, the referring column, the other table, wanted columns
-- answers  {'ok'} for none, {'ok', values, values of the other row or nil}, {'corrupt', why}, {'absent', table}

return answer(function()
  local def, tenant = def_of(argument()), argument()
  local row, columns = find(def, tenant, argument(), list(argument)), list(number)
  local joins = number() == 1
  if not row then
    return { 'ok' }
  elseif not joins then
    return { 'ok', pick(row, columns), false }
  end

  local id, other, others = row[number()], def_of(argument()), list(number)
  local joined_row = id and id ~= NULL and row_of(other, tenant, id)
  return { 'ok', pick(row, columns), is_live(other, joined_row) and pick(joined_row, others) or false }
end)
