;; Emacs' own jsonrpc.el: emacs -Q --batch -l emacs.el PROGRAM -*- lexical-binding: t -*-
(require 'jsonrpc)

(defun check (truth what) (unless truth (error "Not so: %s" what)))

(let* ((process (make-process :name "kms" :command command-line-args-left :connection-type 'pipe :noquery t
                              :coding 'utf-8-emacs-unix :stderr (get-buffer-create "log")))
       (connection (make-instance 'jsonrpc-process-connection :name "kms" :process process))
       (answered 0))
  (setq command-line-args-left nil)
  (jsonrpc-request connection :initialize '(:processId nil :rootUri nil :capabilities (:workspace (:configuration t))))
  (jsonrpc-notify connection :initialized (make-hash-table))
  (let ((key (jsonrpc-request connection :getPublicKey '(:keyTag "demo-ec"))))
    (check (equal (plist-get key :keyType) "EC") "a key"))
  (condition-case failure
      (progn (jsonrpc-request connection :getPublicKey '(:keyTag "nobody")) (error "No error"))
    (jsonrpc-error (check (equal (alist-get 'jsonrpc-error-code (cdr failure)) 1004) "an error")))
  ;; It writes null for no params.
  (check (plist-get (jsonrpc-request connection :getStatus nil) :pid) "null params")
  (dotimes (_ 100)
    (jsonrpc-async-request connection :getPublicKey '(:keyTag "demo-ec")
                           :success-fn (lambda (_) (setq answered (1+ answered)))))
  (while (and (< answered 100) (process-live-p process)) (accept-process-output process))
  (check (= answered 100) "100 at once")
  (check (null (jsonrpc-request connection :shutdown nil)) "shutdown")
  (jsonrpc-notify connection :exit nil)
  (while (process-live-p process) (accept-process-output process))
  (check (= (process-exit-status process) 0) "status 0"))
