# What `bedside deploy run` may do on the machines: one document of Systems Manager, which runs a command of bedside
# as the service's user and nothing else. Whoever may send this document may send no other.

resource "aws_ssm_document" "run" {
  name            = "${var.name}-run"
  document_type   = "Command"
  document_format = "JSON"

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Runs a command of bedside that asks the ledger, as the service's user"
    parameters = {
      # A JSON list in base64url: no letter of that means anything to a shell.
      Arguments = {
        type           = "String"
        description    = "What bedside is started with, encoded by bedside deploy run"
        allowedPattern = "^[A-Za-z0-9_-]+$"
      }
      Timeout = {
        type           = "String"
        description    = "Seconds after which the command is ended"
        default        = "600"
        allowedPattern = "^[1-9][0-9]{0,4}$"
      }
    }
    mainSteps = [{
      action       = "aws:runShellScript"
      name         = "run"
      precondition = { StringEquals = ["platformType", "Linux"] }
      inputs = {
        timeoutSeconds = "{{ Timeout }}"
        runCommand = concat(
          ["exec /usr/bin/python3 - '{{ Arguments }}' <<'END-OF-PROGRAM'"],
          split("\n", trimspace(file("${path.module}/run.py"))),
          ["END-OF-PROGRAM"],
        )
      }
    }]
  })
}
