;;; client.el --- A client in Emacs Lisp, with Emacs's own jsonrpc.el  -*- lexical-binding: t -*-

;; ncloud-kms-emulator -- emacs --batch -l client.el demo-ec no-such-key

;;; Code:

(require 'jsonrpc)

(defun kms-start ()
  "Start the service and return the connection to it."
  (make-instance
   'jsonrpc-process-connection :name "kms"
   :process (lambda ()
              (make-process :name "kms" :command '("ncloud-kms-rpc" "--log-level" "warning")
                            :connection-type 'pipe :coding 'utf-8-emacs-unix :noquery t
                            :stderr (get-buffer-create "*kms stderr*")))))

(defun kms-public-key (connection tag)
  "Return the public key with TAG, a plist, over CONNECTION."
  (jsonrpc-request connection :getPublicKey (list :keyTag tag)))

(defun kms-describe (connection tag)
  "Return a line about the key with TAG, or about the error."
  (condition-case failure
      (let ((key (kms-public-key connection tag)))
        (format "%s %s %d %s" tag (plist-get key :keyType) (plist-get key :keySize) (plist-get key :spkiSha256)))
    (jsonrpc-error
     (let* ((details (cddr failure))
            (data (alist-get 'jsonrpc-error-data details)))
       (format "%s %s %d %s" tag (plist-get data :type) (alist-get 'jsonrpc-error-code details)
               ;; JSON's false is `:json-false`, not nil.
               (if (eq (plist-get data :retryable) t) "try again" "don't try again"))))))

(when noninteractive
  (let ((connection (kms-start)))
    (while command-line-args-left
      (princ (concat (kms-describe connection (pop command-line-args-left)) "\n")))
    (let ((process (jsonrpc--process connection)))
      (jsonrpc-request connection :shutdown nil)
      (jsonrpc-notify connection :exit nil)
      (while (process-live-p process) (accept-process-output process 1))
      (kill-emacs (process-exit-status process)))))

;;; client.el ends here
