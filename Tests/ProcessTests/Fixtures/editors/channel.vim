" Vim's channels: vim -u NONE -N -es -S channel.vim, PROGRAM in $PROGRAM.
let s:status = -1
let s:count = 0

func s:Ended(job, status)
  let s:status = a:status
endfunc

func s:Answered(channel, answer)
  let s:count += has_key(a:answer, 'result')
endfunc

try
  let s:job = job_start(split($PROGRAM), #{mode: 'lsp', err_io: 'null', exit_cb: function('s:Ended')})
  let s:ask = {method, params -> ch_evalexpr(s:job, #{method: method, params: params}, #{timeout: 60000})}
  let s:initialized = s:ask('initialize', #{processId: getpid(), capabilities: {}})
  call assert_equal('ncloud-kms-rpc', s:initialized.result.serverInfo.name)
  call ch_sendexpr(s:job, #{method: 'initialized', params: {}})
  call assert_equal('EC', s:ask('getPublicKey', #{keyTag: 'demo-ec'}).result.keyType)
  call assert_equal(1004, s:ask('getPublicKey', #{keyTag: 'nobody'}).error.code)
  call assert_true(s:ask('getStatus', v:null).result.pid > 0)
  for s:number in range(100)
    call ch_sendexpr(s:job, #{method: 'getPublicKey', params: #{keyTag: 'demo-ec'}}, #{callback: function('s:Answered')})
  endfor
  while s:count < 100 && job_status(s:job) ==# 'run'
    sleep 1m
  endwhile
  call assert_equal(100, s:count)
  call assert_equal(v:null, s:ask('shutdown', v:null).result)
  call ch_sendexpr(s:job, #{method: 'exit', params: v:null})
  while job_status(s:job) ==# 'run'
    sleep 1m
  endwhile
  call assert_equal(0, job_info(s:job).exitval)
catch
  call add(v:errors, v:throwpoint .. ': ' .. v:exception)
endtry
if empty(v:errors)
  qall!
endif
call writefile(v:errors, '/dev/stderr')
cquit
