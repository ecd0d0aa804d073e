-- Neovim, with nothing but a job and JSON: nvim --clean --headless -c 'luafile nvim_raw.lua', PROGRAM in $PROGRAM.
local answers, rest, count, status = {}, '', 0, nil
local job = vim.fn.jobstart(vim.fn.split(vim.env.PROGRAM), {
  on_stdout = function(_, pieces)
    pieces[1] = rest .. pieces[1]
    rest = table.remove(pieces)
    for _, line in ipairs(pieces) do
      local answer = vim.fn.json_decode(line)
      answers[answer.id] = answer
      count = count + 1
    end
  end,
  on_exit = function(_, code) status = code end,
})

local function send(id, method, params)
  local message = { jsonrpc = '2.0', method = method, params = params }
  if id then message.id = id end
  vim.fn.chansend(job, vim.fn.json_encode(message) .. '\n')
end

local function await(wanted)
  assert(vim.wait(60000, function() return count >= wanted end, 1), 'no answer')
end

local function main()
  send('a', 'getPublicKey', { keyTag = 'demo-ec' })
  send('b', 'getPublicKey', { keyTag = 'nobody' })
  send('c', 'getStatus', vim.NIL)
  await(3)
  assert(answers.a.result.keyType == 'EC')
  assert(answers.b.error.code == 1004)
  assert(answers.c.result.pid > 0)
  for number = 1, 100 do send('n' .. number, 'getPublicKey', { keyTag = 'demo-ec' }) end
  await(103)
  for number = 1, 100 do assert(answers['n' .. number].result.keyTag == 'demo-ec') end
  send('d', 'shutdown', vim.NIL)
  await(104)
  assert(answers.d.result == vim.NIL)
  send(nil, 'exit', vim.NIL)
  assert(vim.wait(60000, function() return status ~= nil end, 1), 'no end')
  assert(status == 0)
end

local fine, problem = pcall(main)
if not fine then io.stderr:write(tostring(problem) .. '\n') end
vim.cmd(fine and 'qall!' or 'cquit 1')
